// The console as people use it: the first start, roles, every page in light and dark, and everything without script.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAccessible } from './browser.mjs'
import { becomeOwner, chooseWay, fill, importsAfterConnecting, install, OWNER, PASSWORD, press, visit } from './installation.mjs'

const GENFIN = { 'Consumer Key': '3MVG9.harbor.genfin', 'Consumer Secret': 'harbor-genfin-secret' }

async function connect(page, installation) {
  await chooseWay(page, installation, 'Client credentials')
  await fill(page, GENFIN)
  await press(page, 'Save & Check')
}

for (const [colorScheme, width] of [['light', 1280], ['dark', 390]]) {
  test(`every page is accessible and fits, in ${colorScheme} at a width of ${width}`, async (t) => {
    const it = await install(t, 'g2-genfin')
    const looks = { colorScheme, viewport: { width, height: 900 } }
    const fits = async (page) => {
      await isAccessible(page)
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      assert.equal(beyond, 0, page.url())
    }
    await fits(await visit(t, it, it.first, looks))
    const page = await becomeOwner(t, it, looks)
    await fits(page)
    await chooseWay(page, it, 'Client credentials')
    await fits(page)
    await fill(page, { ...GENFIN, 'Consumer Secret': 'wrong' })
    await press(page, 'Save & Check')
    await page.getByRole('button', { name: 'Stop waiting' }).waitFor()
    await fits(page)
    await page.getByRole('button', { name: 'Stop waiting' }).click()
    await page.getByRole('alert').locator('.finding').first().waitFor()
    await fits(page)
    await fill(page, GENFIN)
    await press(page, 'Save & Check')
    await page.getByRole('heading', { name: /^Connected to/ }).waitFor()
    await fits(page)
    await page.getByRole('link', { name: /^Continue/ }).click()
    await page.locator('#object-Contact').check()
    await fits(page)
    await press(page, 'Import')
    await page.getByText('The import is complete.').waitFor({ timeout: 60_000 })
    await fits(page)
    await page.goto(`${it.url}connections/harbor-credit`)
    await press(page, 'Check again')
    await page.getByRole('heading', { name: 'Findings' }).waitFor()
    await fits(page)
    const paths = ['integrations', 'connect', 'connect?org=login.salesforce.com', 'connect?org=nonsense', 'users', 'account', 'journal', 'connect/error-page', 'no/such/page']
    for (const way of ['web-server', 'device', 'jwt-bearer', 'password', 'soap-login', 'refresh-token']) paths.push(`connect/${way}?org=${it.host}`)
    const others = await visit(t, it, it.url, { ...looks, expectedError: 'status of 4', storageState: await page.context().storageState() })
    for (const path of paths) {
      await others.goto(`${it.url}${path}`)
      await fits(others)
    }
    await press(others, 'Sign out')
    await fits(others)
  })
}

test('without script, an org is connected and imported, and pages look again by themselves', async (t) => {
  const it = await install(t, 'g2-genfin')
  const page = await becomeOwner(t, it, { javaScriptEnabled: false })
  await connect(page, it)
  await importsAfterConnecting(page, 'genfin@harbor-credit.example', { Contact: '2,500' })
  await press(page, 'Check again')
  await page.getByRole('heading', { name: 'Findings' }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Copy' }).count(), 0)
})

test('the first start makes one owner, who signs out, in again, and changes the password', async (t) => {
  const it = await install(t, 'g2-genfin')
  const page = await becomeOwner(t, it)
  const again = await visit(t, it, it.url, { expectedError: 'status of 4' })
  await again.goto(it.first)
  await again.getByRole('heading', { name: 'This link does not work any more' }).waitFor()

  await page.getByRole('link', { name: OWNER }).click()
  await page.getByLabel('Current password').fill(PASSWORD)
  await page.getByLabel('New password').fill('another battery staple')
  await press(page, 'Change the password')
  await page.getByRole('status').filter({ hasText: 'Your password is changed.' }).waitFor()
  await press(page, 'Sign out')
  await page.getByText('You are signed out.').waitFor()

  await again.goto(`${it.url}journal`)
  await again.getByLabel('E-mail address').fill(OWNER)
  await again.getByLabel('Password').fill(PASSWORD)
  await press(again, 'Sign in')
  await again.getByRole('alert').filter({ hasText: 'The address or the password is wrong.' }).waitFor()
  await again.getByLabel('Password').fill('another battery staple')
  await press(again, 'Sign in')
  await again.getByRole('heading', { name: 'Journal' }).waitFor()
})

test('a key and its certificate are made on the page, and the key is nowhere to be seen', async (t) => {
  const it = await install(t, 'g2-genfin')
  const page = await becomeOwner(t, it)
  await chooseWay(page, it, 'Certificate (JWT bearer)')
  await press(page, 'Make a key and its certificate')
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Download the certificate' }).click()
  const { readFile } = await import('node:fs/promises')
  const certificate = await readFile(await (await download).path(), 'utf8')
  assert.match(certificate, /^-----BEGIN CERTIFICATE-----/)
  assert.ok(!certificate.includes('PRIVATE'))
  assert.ok(!(await page.content()).includes('PRIVATE'))
})

test('values of the guide are copied by a button', async (t) => {
  const it = await install(t, 'g2-genfin')
  const page = await becomeOwner(t, it, { permissions: ['clipboard-read', 'clipboard-write'] })
  await chooseWay(page, it, 'Sign in with Salesforce')
  await page.getByRole('button', { name: 'Copy the callback URL' }).click()
  await page.getByText('Copied').waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), it.callback)
})

test("another site's page can press no button", async (t) => {
  const it = await install(t, 'g2-genfin')
  const page = await becomeOwner(t, it, { expectedError: 'status of 403' })
  const button = '<button>Win</button>'
  const body = `<form method="post" action="${it.url}account/sign-out-everywhere">${button}</form>`
  await page.route('http://another.example/', (route) => route.fulfill({ contentType: 'text/html', body }))
  await page.goto('http://another.example/')
  const answer = page.waitForResponse((response) => response.url().endsWith('/sign-out-everywhere'))
  await page.getByRole('button', { name: 'Win' }).click()
  assert.ok([303, 403].includes((await answer).status()))
  await page.goto(`${it.url}account`)
  await page.getByRole('heading', { name: 'Your account' }).waitFor()
})
