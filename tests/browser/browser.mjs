// Chromium for the tests of this folder. Run by `cargo xtask test`, which says where the emulated org listens.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after } from 'node:test'

export const org = JSON.parse(process.env.ORGTIDE_BROWSER)
const require = createRequire(`${org.packages}/`)
const { chromium } = require('playwright-core')
const axe = require('axe-core').source

const browser = await chromium.launch({
  executablePath: org.chromium,
  args: [
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--disable-quic',
  ],
})
after(() => browser.close())

/**
 * A page in a fresh profile, closed after the test `t`, which fails when the page reported an error or broke its own
 * content security policy. `options` are those of a browser context; an error that contains `expectedError` is none.
 */
export async function open(t, url, { expectedError, ...options } = {}) {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const errors = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => isFault(message) && errors.push(`${message.text()} (${message.location().url})`))
  t.after(async () => {
    await context.close()
    assert.deepEqual(expectedError ? errors.filter((error) => !error.includes(expectedError)) : errors, [])
  })
  page.setDefaultTimeout(10_000)
  await page.goto(url)
  return page
}

/** Chromium asks every host for an icon of its own accord, and leaving a page cuts off what its script is asking for. */
function isFault(message) {
  if (message.text().startsWith('htmx: htmx:error: Failed to fetch')) return false
  return ['error', 'warning'].includes(message.type()) && !message.location().url.endsWith('/favicon.ico')
}

/** Fails when a screen reader or a keyboard would meet a serious obstacle on the page as it is now. */
export async function isAccessible(page) {
  // Evaluated through the debugger, to which the page's content security policy does not apply.
  await page.evaluate(axe)
  const { violations } = await page.evaluate('axe.run()')
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
  const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join('\n    ')}`)
  assert.deepEqual(told, [])
}
