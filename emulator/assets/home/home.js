// Makes the page live: requests, mailbox, faults, clock and login history as they change; and the copy buttons.
// Without it the page shows the same after a reload, and every form works.

const LIVE = 'Live'
const PAUSED = 'Paused'
const LOST = 'Not connected: is the emulator still running?'

const journal = document.getElementById('journal')
const most = Number(journal.dataset.most)
const live = document.getElementById('live')
const pause = document.getElementById('pause')
const said = document.getElementById('said')

/** The elements of a piece of HTML that the emulator rendered. */
function elements(html) {
  const template = document.createElement('template')
  template.innerHTML = html
  return [...template.content.children]
}

/** Puts rows in their place, the newest first; a row that is there already is replaced. */
function showRows(html) {
  for (const row of elements(html).reverse()) {
    const known = document.getElementById(row.id)
    if (known) {
      known.replaceWith(row)
      continue
    }
    const number = Number(row.dataset.number)
    const before = [...journal.rows].find((other) => Number(other.dataset.number) < number)
    journal.insertBefore(row, before ?? null)
  }
  while (journal.rows.length > most) journal.rows[journal.rows.length - 1].remove()
}

/** Replaces a part of the page, and keeps the focus and what is unfolded where they were. */
function showPart(html) {
  const [part] = elements(html)
  const shown = part && document.getElementById(part.id)
  if (!shown) return
  const buttons = 'summary, button, [tabindex]'
  const focused = [shown, ...shown.querySelectorAll(buttons)].indexOf(document.activeElement)
  const open = [...shown.querySelectorAll('details')].map((details) => details.open)
  revealCopyButtons(part)
  shown.replaceWith(part)
  const unfolded = [...part.querySelectorAll('details')].reverse()
  open.reverse().forEach((isOpen, index) => unfolded[index] && (unfolded[index].open = isOpen))
  if (focused >= 0) [part, ...part.querySelectorAll(buttons)][focused]?.focus()
}

function revealCopyButtons(within) {
  within.querySelectorAll('button.copy').forEach((button) => (button.hidden = false))
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy)
  } catch {
    // No permission: the text is selected, for the person to copy.
    getSelection().selectAllChildren(button.previousElementSibling)
    said.textContent = 'Selected: press Ctrl+C'
    return
  }
  said.textContent = 'Copied'
  button.textContent = 'Copied'
  setTimeout(() => (button.textContent = 'Copy'), 1500)
}

let source

function tell(state) {
  live.textContent = state
  live.dataset.state = state === LIVE ? 'live' : state === PAUSED ? 'paused' : 'lost'
}

function connect() {
  source = new EventSource('/__emulator/page/events')
  source.addEventListener('open', () => tell(LIVE))
  source.addEventListener('error', () => tell(LOST))
  source.addEventListener('rows', ({ data }) => showRows(data))
  source.addEventListener('all-rows', ({ data }) => journal.replaceChildren(...elements(data)))
  source.addEventListener('part', ({ data }) => showPart(data))
}

pause.addEventListener('click', () => {
  const pauses = pause.getAttribute('aria-pressed') === 'false'
  pause.setAttribute('aria-pressed', String(pauses))
  if (!pauses) return connect()
  source.close()
  tell(PAUSED)
})

document.addEventListener('click', ({ target }) => {
  const button = target.closest('button.copy')
  if (button) copy(button)
})

revealCopyButtons(document)
live.hidden = false
pause.hidden = false
document.getElementById('reload').hidden = true
connect()
addEventListener('pagehide', () => source.close())
