// The org under its real host names, as a person's browser reaches it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open, org } from './browser.mjs'

test('Chromium reaches the My Domain over TLS through the proxy', async (t) => {
  const options = { proxy: { server: org.proxy }, ignoreHTTPSErrors: true }
  const page = await open(t, `${org.url}/.well-known/openid-configuration`, options)
  const discovered = JSON.parse(await page.locator('body').innerText())
  assert.equal(discovered.issuer, org.url)
})
