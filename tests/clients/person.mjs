// A person with a browser: opens an authorization page of the emulated org, signs in, allows, and reads where the browser
// is sent. It knows forms, not the emulator.

const ATTRIBUTE = /([\w-]+)(?:="([^"]*)")?/g
const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#34': '"', '#38': '&', '#39': "'", '#60': '<', '#62': '>' }

const unescape = (text) => text.replace(/&(#?\w+);/g, (whole, name) => ENTITIES[name] ?? whole)

const attributes = (tag) =>
  Object.fromEntries([...tag.matchAll(ATTRIBUTE)].map(([, name, value]) => [name, unescape(value ?? '')]))

/** The forms of a page: where they go, their inputs, and their buttons by what they say. */
function formsOf(page) {
  return [...page.matchAll(/<form([^>]*)>([\s\S]*?)<\/form>/g)].map(([, head, body]) => ({
    action: attributes(head).action ?? '',
    inputs: [...body.matchAll(/<input([^>]*)>/g)].map(([, tag]) => attributes(tag)),
    buttons: Object.fromEntries(
      [...body.matchAll(/<button([^>]*)>([\s\S]*?)<\/button>/g)].map(([, tag, text]) => [text.trim(), attributes(tag)]),
    ),
  }))
}

export class Person {
  #cookies = new Map()

  constructor(username, password) {
    this.username = username
    this.password = password
  }

  /** Opens `url`, signs in when asked, allows, and returns the address of the callback. */
  async authorize(url, callback) {
    let page = await this.#open(url)
    for (let step = 0; step < 20; step += 1) {
      const location = page.headers.get('location')
      if (location) {
        const address = new URL(location, page.url).href
        if (address.startsWith(callback)) return address
        page = await this.#open(address)
      } else {
        page = await this.#submit(page.url, await page.text())
      }
    }
    throw new Error(`no way to ${callback} from ${page.url}`)
  }

  async #submit(url, text) {
    for (const form of formsOf(text)) {
      const isLogin = form.inputs.some((input) => input.type === 'password')
      const button = form.buttons.Allow
      if (!isLogin && !button) continue
      const values = new URLSearchParams()
      for (const input of form.inputs.filter((input) => input.name && input.type !== 'checkbox')) {
        values.set(input.name, this.#fill(input))
      }
      if (button?.name) values.set(button.name, button.value ?? '')
      return this.#open(new URL(form.action, url).href, { method: 'POST', body: values })
    }
    throw new Error(`nothing to press at ${url}: ${text.slice(0, 500)}`)
  }

  #fill(input) {
    if (input.type === 'password') return this.password
    return input.type === 'hidden' ? (input.value ?? '') : this.username
  }

  async #open(url, request = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const page = await fetch(url, { ...request, redirect: 'manual', headers: { cookie } })
    for (const set of page.headers.getSetCookie()) {
      const [name, value] = set.split(';')[0].split('=')
      this.#cookies.set(name, value)
    }
    return page
  }
}
