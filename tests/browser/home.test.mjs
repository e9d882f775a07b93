// The emulator's own page. The org is the one of scenario.toml; its state goes from test to test.
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { isAccessible, open, org } from './browser.mjs'

const KEY = 'orgtide-browser'
const SECRET = 'a secret that <only> this scenario knows'
const HOME = `${org.plain}/`

const control = async (method, path, body) => {
  const answer = await fetch(`${org.plain}/__emulator/${path}`, { method, body: body && JSON.stringify(body) })
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`)
  return answer.status === 204 ? undefined : answer.json()
}
const now = async () => Date.parse((await control('GET', 'clock')).now)
const waiting = () => control('GET', 'faults')
const asksForToken = (secret = SECRET) => {
  const form = { grant_type: 'client_credentials', client_id: KEY, client_secret: secret }
  return fetch(`${org.plain}/services/oauth2/token`, { method: 'POST', body: new URLSearchParams(form) })
}
const section = (page, name) => page.getByRole('region', { name, exact: true })

/** Waits until the page is connected to its events, so that what happens from now on has to show. */
const live = (page) => page.locator('#live[data-state=live]').waitFor()

beforeEach(() => control('DELETE', 'faults'))

for (const colorScheme of ['light', 'dark']) {
  for (const width of [1400, 390]) {
    test(`the page is accessible in ${colorScheme} colours at a width of ${width}`, async (t) => {
      await asksForToken()
      await control('POST', 'faults', { on: 'GET /never', effect: { kind: 'hang' } })
      const page = await open(t, HOME, { colorScheme, viewport: { width, height: 900 } })
      await live(page)
      for (const summary of await page.locator('summary').all()) {
        if (await summary.isVisible()) await summary.click()
      }
      await page.locator('.org').first().evaluate((details) => (details.open = true))
      await isAccessible(page)
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide`)
    })
  }
}

test('the page says how to connect, with which apps and as whom', async (t) => {
  const page = await open(t, HOME)
  assert.equal(await page.title(), 'Acme & Söhne and another org · Orgtide emulator')
  const text = await page.locator('main').innerText()
  for (const shown of [org.plain, org.proxy, org.url, 'acme.lightning.force.com', KEY, SECRET, 'another secret']) {
    assert.ok(text.includes(shown), shown)
  }
  for (const shown of ['http://localhost:3000/callback', 'ada@acme.example', 'correct horse', 'battery staple']) {
    assert.ok(text.includes(shown), shown)
  }
  const app = page.getByRole('article').filter({ hasText: KEY }).first()
  await app.getByText('Policies').click()
  assert.ok((await app.innerText()).includes('expires if not used for 90 days'))
  assert.ok((await app.innerText()).includes('Client credentials: runs as ada@acme.example'))
  await page.locator('summary', { hasText: 'sandbox' }).click()
  const sandbox = page.locator('#org-acme--uat')
  assert.ok((await sandbox.innerText()).includes('Sandbox of Acme & Söhne (acme)'))
  assert.ok((await sandbox.innerText()).includes('ada@acme.example.uat'))
})

test('the certificate authority can be downloaded', async (t) => {
  const page = await open(t, HOME)
  const started = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Certificate authority' }).click()
  const download = await started
  assert.equal(download.suggestedFilename(), 'ca.pem')
  const pem = await (await fetch(`${org.plain}/ca.pem`)).text()
  assert.match(pem, /^-----BEGIN CERTIFICATE-----/)
})

test('a copy button puts exactly the secret into the clipboard and says so', async (t) => {
  const page = await open(t, HOME, { permissions: ['clipboard-read', 'clipboard-write'] })
  const button = page.getByRole('button', { name: 'Copy consumer secret of Integration' }).first()
  await button.click()
  await page.locator('#said', { hasText: 'Copied' }).waitFor({ state: 'attached' })
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), SECRET)
})

test('requests that are made meanwhile appear by themselves, the newest first', async (t) => {
  const page = await open(t, HOME)
  await live(page)
  await asksForToken()
  await fetch(`${org.plain}/services/data`)
  const first = page.locator('#journal tr').first()
  await first.filter({ hasText: '/services/data' }).filter({ hasText: '200' }).waitFor()
  const [newest, before] = (await page.locator('#journal tr').allInnerTexts()).slice(0, 2)
  assert.match(newest, /GET \/services\/data/)
  assert.match(before, /POST \/services\/oauth2\/token/)
})

test('a request without an answer shows at once, and its status when it has one', async (t) => {
  const page = await open(t, HOME)
  await live(page)
  await control('POST', 'faults', { on: 'GET /services/data', effect: { kind: 'hang' } })
  const answered = fetch(`${org.plain}/services/data`)
  const row = page.locator('#journal tr').first().filter({ hasText: '/services/data' })
  await row.filter({ hasText: 'none yet' }).filter({ hasText: 'hang' }).waitFor()
  await page.getByRole('button', { name: 'Release requests that hang' }).click()
  assert.equal((await answered).status, 200)
  await row.filter({ hasText: '200' }).waitFor()
})

test('a pause stops the requests, and going on shows what was missed', async (t) => {
  const page = await open(t, HOME)
  await live(page)
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.locator('#live[data-state=paused]').waitFor()
  const before = await page.locator('#journal tr').count()
  const paths = () => page.locator('#journal .path').allInnerTexts()
  await fetch(`${org.plain}/services/data/missed`)
  assert.ok(!(await paths()).includes('/services/data/missed'))
  assert.equal(await page.locator('#journal tr').count(), before)
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.locator('#journal .path', { hasText: '/services/data/missed' }).first().waitFor()
})

test('a code that the login page asks for appears in the mailbox, and signs in when it is copied', async (t) => {
  const home = await open(t, HOME, { permissions: ['clipboard-read', 'clipboard-write'] })
  await live(home)
  const app = { client_id: KEY, redirect_uri: 'http://localhost:3000/callback', response_type: 'code' }
  const asked = new URLSearchParams({ ...app, code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' })
  const login = await open(t, `${org.plain}/services/oauth2/authorize?${asked}`)
  await login.getByLabel('Username').fill('ada@acme.example')
  await login.getByLabel('Password').fill('correct horse')
  await login.getByRole('button', { name: 'Log In' }).click()
  const code = login.getByLabel('Verification code')
  await code.waitFor()
  await section(home, 'Mailbox').getByRole('button', { name: 'Copy verification code for ada@acme.example' }).first().click()
  await home.locator('#said', { hasText: 'Copied' }).waitFor({ state: 'attached' })
  await code.fill(await home.evaluate(() => navigator.clipboard.readText()))
  await login.getByRole('button', { name: 'Verify' }).click()
  await login.getByRole('heading', { name: 'Allow Access?' }).waitFor()
})

for (const javaScriptEnabled of [true, false]) {
  const how = javaScriptEnabled ? 'with script' : 'without script'

  test(`${how}, every button for the clock moves it as far as it says`, async (t) => {
    const page = await open(t, HOME, { javaScriptEnabled })
    const steps = { '+1 minute': 60, '+10 minutes': 600, '+2 hours': 7200, '+1 day': 86_400, '+31 days': 2_678_400 }
    for (const [name, seconds] of Object.entries(steps)) {
      const before = await now()
      await page.getByRole('button', { name, exact: true }).click()
      await page.getByRole('status').filter({ hasText: 'The clock has moved.' }).waitFor()
      assert.equal((await now()) - before, seconds * 1000)
      const shown = await page.locator('#clock-now time').getAttribute('datetime')
      assert.equal(Date.parse(shown), await now())
    }
    const before = await now()
    await page.getByLabel('Or by').fill('3')
    await page.getByLabel('Unit of time').selectOption('hours')
    await page.getByRole('button', { name: 'Move the clock' }).click()
    await page.getByRole('status').filter({ hasText: 'The clock has moved.' }).waitFor()
    assert.equal((await now()) - before, 3 * 3_600_000)
  })

  test(`${how}, a fault is added, waits, strikes its request and is gone`, async (t) => {
    const page = await open(t, HOME, { javaScriptEnabled })
    const faults = section(page, 'Faults')
    await faults.getByLabel('What goes wrong').selectOption('Sign-in refused (400 invalid_grant, login rate exceeded)')
    await faults.getByLabel('At which request').selectOption('Token endpoint')
    await faults.getByLabel('At request number').fill('2')
    await faults.getByRole('button', { name: 'Add the fault' }).click()
    await faults.getByText('at such request number 2 from now').waitFor()
    assert.equal((await asksForToken()).status, 200)
    const refused = await asksForToken()
    assert.equal(refused.status, 400)
    assert.equal((await refused.json()).error_description, 'login rate exceeded')
    if (!javaScriptEnabled) await page.goto(HOME)
    await faults.getByText('No fault is waiting.').waitFor()
    await page.locator('#journal tr').first().filter({ hasText: '400' }).filter({ hasText: 'answer' }).waitFor()
  })

  test(`${how}, all faults are cleared`, async (t) => {
    const page = await open(t, HOME, { javaScriptEnabled })
    const faults = section(page, 'Faults')
    await faults.getByLabel('Or at any that fits').fill('GET */sobjects/Contact/*')
    await faults.getByRole('button', { name: 'Add the fault' }).click()
    await faults.getByText('GET */sobjects/Contact/*').waitFor()
    assert.deepEqual(await waiting(), [{ on: 'GET */sobjects/Contact/*', nth: 1, effect: { kind: 'expire_session' } }])
    await faults.getByRole('button', { name: 'Clear all faults' }).click()
    await faults.getByText('No fault is waiting.').waitFor()
    assert.deepEqual(await waiting(), [])
  })

  test(`${how}, all sessions end`, async (t) => {
    const { access_token: token } = await (await asksForToken()).json()
    const data = () => fetch(`${org.plain}/services/data/v60.0/`, { headers: { authorization: `Bearer ${token}` } })
    assert.equal((await data()).status, 200)
    const page = await open(t, HOME, { javaScriptEnabled })
    await page.getByRole('button', { name: 'Expire all sessions' }).click()
    await page.getByRole('status').filter({ hasText: 'Every session has ended.' }).waitFor()
    assert.equal((await data()).status, 401)
  })

  test(`${how}, callers get another address, which the login history shows`, async (t) => {
    const page = await open(t, HOME, { javaScriptEnabled })
    await page.getByLabel('Callers come from').fill('not an address')
    await page.getByRole('button', { name: 'Set the address' }).click()
    await page.getByText('that was no IP address').waitFor()
    await page.getByLabel('Callers come from').fill('198.51.100.7')
    await page.getByRole('button', { name: 'Set the address' }).click()
    await page.getByRole('status').filter({ hasText: 'Callers seem to come from that address now.' }).waitFor()
    assert.equal(await page.getByLabel('Callers come from').inputValue(), '198.51.100.7')
    await asksForToken()
    if (!javaScriptEnabled) await page.goto(HOME)
    const history = section(page, 'Login history of acme')
    await history.getByText('from 198.51.100.7').first().waitFor()
  })
}

test('the page is worked by keyboard alone', async (t) => {
  const page = await open(t, HOME)
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content')
  await page.getByRole('button', { name: '+1 minute', exact: true }).focus()
  const before = await now()
  await page.keyboard.press('Enter')
  await page.getByRole('status').filter({ hasText: 'The clock has moved.' }).waitFor()
  assert.equal((await now()) - before, 60_000)
})

test("another site's page can press no button", async (t) => {
  const page = await open(t, HOME, { expectedError: 'status of 403' })
  const before = await now()
  const button = '<button name="seconds" value="60">Win</button>'
  const body = `<form method="post" action="${HOME}__emulator/page/clock">${button}</form>`
  await page.route('http://another.example/', (route) => route.fulfill({ contentType: 'text/html', body }))
  await page.goto('http://another.example/')
  const answer = page.waitForResponse((response) => response.url().endsWith('/__emulator/page/clock'))
  await page.getByRole('button', { name: 'Win' }).click()
  assert.equal((await answer).status(), 403)
  assert.equal(await now(), before)
})
