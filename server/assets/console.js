// What pages can do better with script. Without it everything works: see ui/call.rs for pages that look again.
'use strict'

// Tells the server that pages need no header that makes the browser load them again.
document.cookie = 'orgtide-script=1; Path=/; SameSite=Lax'
document.documentElement.classList.add('script')

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]')
  if (!button) return
  const source = document.getElementById(button.dataset.copy)
  const said = button.querySelector('.said') ?? button
  const before = said.textContent
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent)
    said.textContent = 'Copied'
  } catch {
    // A browser gives the clipboard to pages of TLS and of this machine alone.
    const range = document.createRange()
    range.selectNodeContents(source)
    getSelection().removeAllRanges()
    getSelection().addRange(range)
    said.textContent = 'Selected'
  }
  setTimeout(() => { said.textContent = before }, 2000)
})

// Values of a guide are there to be copied.
document.addEventListener('DOMContentLoaded', () => {
  document.querySelectorAll('.guide-copy').forEach((value, number) => {
    value.id ||= `guide-value-${number}`
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'small copy-beside'
    button.dataset.copy = value.id
    button.setAttribute('aria-label', `Copy ${value.textContent}`)
    button.textContent = 'Copy'
    value.after(' ', button)
  })
})

// A list that can be searched: rows that do not contain the words are hidden.
document.addEventListener('input', (event) => {
  const search = event.target.closest('[data-search]')
  if (!search) return
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean)
  let shown = 0
  for (const row of document.querySelectorAll(search.dataset.search)) {
    const text = row.textContent.toLowerCase()
    row.hidden = !words.every((word) => text.includes(word))
    shown += row.hidden ? 0 : 1
  }
  const count = document.getElementById('search-count')
  if (count) count.textContent = `${shown} shown`
})

// A form is sent once, and says that it was.
document.addEventListener('submit', (event) => {
  const button = event.submitter
  if (!button || button.dataset.busy === undefined) return
  button.setAttribute('aria-disabled', 'true')
  if (button.dataset.busy) button.textContent = button.dataset.busy
  if (event.target.dataset.sent) event.preventDefault()
  event.target.dataset.sent = 'yes'
})

// Coming back by the back button shows a form that can be sent again.
addEventListener('pageshow', (event) => { if (event.persisted) location.reload() })
