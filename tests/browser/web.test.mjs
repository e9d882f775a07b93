// What a person clicks when an app asks for access: login, verification code, consent, and back to the app.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAccessible, open, org } from './browser.mjs'

const callback = 'http://localhost:3000/callback'

function link(more = {}) {
  const parameters = {
    response_type: 'code',
    client_id: 'orgtide-browser',
    redirect_uri: callback,
    scope: 'api refresh_token',
    state: 'of this test',
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    ...more,
  }
  return `${org.plain}/services/oauth2/authorize?${new URLSearchParams(parameters)}`
}

async function lastCode() {
  const messages = await (await fetch(`${org.plain}/__emulator/mailbox`)).json()
  return messages.at(-1).code
}

async function logIn(page) {
  await page.getByLabel('Username').fill('ada@acme.example')
  await page.getByLabel('Password').fill('correct horse')
  await page.getByRole('button', { name: 'Log In' }).click()
}

async function verify(page) {
  await page.getByLabel('Verification code').fill(await lastCode())
  await page.getByRole('button', { name: 'Verify' }).click()
}

/** Presses a button that leads to the app, where nothing listens, and gives the address that was asked for. */
async function leave(page, button) {
  const asked = page.waitForRequest((request) => request.url().startsWith(callback))
  await page.getByRole('button', { name: button }).click({ noWaitAfter: true })
  return new URL((await asked).url()).searchParams
}

for (const colorScheme of ['light', 'dark']) {
  test(`a person logs in with a code, denies an app access and then allows it, in ${colorScheme}`, async (t) => {
    const page = await open(t, link({ prompt: 'consent' }), { colorScheme })
    await isAccessible(page)
    await page.getByLabel('Username').fill('ada@acme.example')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Log In' }).click()
    await page.getByRole('alert').getByText('Please check your username and password.').waitFor()
    await isAccessible(page)
    await logIn(page)
    await page.getByRole('heading', { name: 'Verify your identity' }).waitFor()
    await isAccessible(page)
    await page.getByRole('button', { name: 'Resend code' }).click()
    await page.getByRole('status').waitFor()
    await verify(page)
    await page.getByRole('heading', { name: 'Allow Access?' }).waitFor()
    await page.getByText('Perform requests at any time').waitFor()
    await isAccessible(page)
    const denied = await leave(page, 'Deny')
    assert.equal(denied.get('error'), 'access_denied')
    assert.equal(denied.get('state'), 'of this test')

    const second = await page.context().newPage()
    await second.goto(link({ prompt: 'consent' }))
    const allowed = await leave(second, 'Allow')
    assert.match(allowed.get('code'), /^aPrx.+==$/)

    const third = await page.context().newPage()
    await third.goto(link({ prompt: 'select_account' }))
    await third.getByRole('heading', { name: 'Choose a username' }).waitFor()
    await isAccessible(third)
  })
}

test('the pages are used with the keyboard and without scripts', async (t) => {
  const page = await open(t, link({ prompt: 'consent' }), { javaScriptEnabled: false })
  await page.locator('#username:focus').waitFor()
  await page.keyboard.type('ada@acme.example')
  await page.keyboard.press('Tab')
  await page.keyboard.type('correct horse')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Verify your identity' }).waitFor()
  await page.locator('#code:focus').waitFor()
  await page.keyboard.type(await lastCode())
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Allow Access?' }).waitFor()
  await page.getByRole('button', { name: 'Allow' }).focus()
  const asked = page.waitForRequest((request) => request.url().startsWith(callback))
  await page.keyboard.press('Enter')
  assert.match((await asked).url(), /code=aPrx/)
})

test('a person logs out, and refusals are told on pages that can be read', async (t) => {
  const page = await open(t, `${org.plain}/secur/logout.jsp`)
  await page.getByRole('heading', { name: 'You are logged out' }).waitFor()
  await isAccessible(page)
  await page.goto(`${org.plain}/setup/secur/RemoteAccessErrorPage.apexp?error=invalid_client&error_description=app+must+be+installed`)
  await page.getByText('error=invalid_client').waitFor()
  await isAccessible(page)
})
