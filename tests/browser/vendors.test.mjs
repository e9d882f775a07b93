// Five vendors' guides, each played by the console from an empty installation to imported rows. The org is what its
// administrator has set up by the guide; what was handed over is typed in. Then the same with mistakes, each of which has
// to end in the finding that says so.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isAccessible } from './browser.mjs'
import { becomeOwner, chooseWay, fill, guide, importsAfterConnecting, install, logIn, mailedCode, PASSWORD, press, visit } from './installation.mjs'

/** The finding of that code is on the page, with what to do; whoever waits for a change in Setup stops waiting. */
async function isRefused(page, code) {
  await page.locator('.finding').filter({ hasText: code }).first().waitFor()
  const stop = page.getByRole('button', { name: 'Stop waiting' })
  if (await stop.isVisible()) await stop.click()
  const finding = page.getByRole('alert').locator('.finding').filter({ hasText: code }).first()
  await finding.waitFor()
  await finding.getByText('What to do:').waitFor()
  await finding.getByText('Who has to act:').waitFor()
}

/** Nothing was saved by what was refused. */
async function isEmpty(page, installation) {
  await page.goto(installation.url)
  await page.getByText('No org is connected yet.').waitFor()
}

// G1: Fynancial, device flow

const FYNANCIAL = { 'Consumer Key': '3MVG9.meridian.fynancial', 'Consumer Secret': 'meridian-fynancial-secret' }
const RHEA = ['rhea@meridian-wealth.example', 'meridian-admin-password']

async function showsCode(page, installation, fields = FYNANCIAL) {
  await chooseWay(page, installation, 'Code on another device')
  await fill(page, fields)
  await press(page, 'Show the code')
}

/** The administrator elsewhere: opens the address, signs in with a mailed code, enters the code of the page, and decides. */
async function entersCode(t, installation, page, decision) {
  const code = await page.locator('#user-code').innerText()
  const address = await page.getByRole('link', { name: /\/setup\/connect$/ }).getAttribute('href')
  const device = await visit(t, installation, address)
  await logIn(device, ...RHEA)
  await device.getByLabel('Verification code').fill(await mailedCode(installation))
  await press(device, 'Verify')
  await device.getByLabel('Code').fill(code)
  await press(device, 'Connect')
  await press(device, decision)
}

test('G1, Fynancial: an administrator enters the code of the page, and a verification code from the mail', async (t) => {
  const it = await install(t, 'g1-fynancial/completed')
  const page = await becomeOwner(t, it)
  await showsCode(page, it)
  await page.getByRole('img', { name: 'QR code of the link' }).waitFor()
  await isAccessible(page)
  await entersCode(t, it, page, 'Allow')
  await importsAfterConnecting(page, RHEA[0], { Account: '400', Contact: '1,800' })
})

test('G1, Fynancial: followed to the letter, the page says that the scopes are missing', async (t) => {
  const it = await install(t, 'g1-fynancial')
  const page = await becomeOwner(t, it)
  await showsCode(page, it)
  await isRefused(page, 'sign-in/scope-not-on-app')
  await page.getByText('Selected OAuth Scopes').first().waitFor()
  assert.equal(await page.getByLabel('Consumer Key').inputValue(), FYNANCIAL['Consumer Key'])
  assert.equal(await page.getByLabel('Consumer Secret').inputValue(), '')
  await isEmpty(page, it)
})

for (const [scenario, code] of [
  ['g1-fynancial/device-flow-off', 'sign-in/device-flow-off'],
  ['g1-fynancial/app-disabled', 'sign-in/app-disabled'],
  ['g1-fynancial/app-of-another-org', 'sign-in/app-of-other-org'],
]) {
  test(`G1, Fynancial: ${scenario} ends in ${code}`, async (t) => {
    const it = await install(t, scenario)
    const page = await becomeOwner(t, it)
    await showsCode(page, it)
    await isRefused(page, code)
    await isEmpty(page, it)
  })
}

test('G1, Fynancial: an administrator who denies is told on the waiting page', async (t) => {
  const it = await install(t, 'g1-fynancial/completed')
  const page = await becomeOwner(t, it)
  await showsCode(page, it)
  await entersCode(t, it, page, 'Deny')
  await isRefused(page, 'sign-in/denied-by-user')
  await isEmpty(page, it)
})

// G2 and G4: client credentials

async function savesAndChecks(page, installation, fields, address) {
  await chooseWay(page, installation, 'Client credentials', address)
  await page.getByText('More settings').click()
  await fill(page, fields)
  await press(page, 'Save & Check')
}

const GENFIN = {
  'Consumer Key': '3MVG9.harbor.genfin',
  'Consumer Secret': 'harbor-genfin-secret',
  'Name of the connection': 'genfin',
  'API version': 'v60.0',
}

test('G2, Genfin: client credentials, with the API version of the form, from a Lightning address', async (t) => {
  const it = await install(t, 'g2-genfin')
  const page = await becomeOwner(t, it)
  await savesAndChecks(page, it, GENFIN, 'https://harbor-credit.lightning.force.com/lightning/page/home')
  await importsAfterConnecting(page, 'genfin@harbor-credit.example', { Contact: '2,500' })
  await page.getByText('v60.0').first().waitFor()
  assert.ok(!(await page.content()).includes(GENFIN['Consumer Secret']))
})

const CSM = { 'Consumer Key': '3MVG9.brightwater.csm', 'Consumer Secret': 'brightwater-csm-secret' }

test('G4, MultiSource Connector: a Site without https, Save & Check, and three objects', async (t) => {
  const it = await install(t, 'g4-multisource-csm')
  const page = await becomeOwner(t, it)
  await savesAndChecks(page, it, CSM, 'brightwater.my.salesforce.com')
  await importsAfterConnecting(page, 'csm@brightwater.example', { Account: '1,200', Contact: '4,000', Opportunity: '900' })
})

for (const [scenario, fields, code] of [
  ['g2-genfin/flow-off', GENFIN, 'sign-in/client-credentials-off'],
  ['g2-genfin/run-as-missing', GENFIN, 'sign-in/no-run-as-user'],
  ['g2-genfin/run-as-inactive', GENFIN, 'sign-in/inactive-user'],
  ['g2-genfin/scope-full', GENFIN, 'sign-in/no-usable-scope'],
  ['g2-genfin', { ...GENFIN, 'Consumer Secret': 'of another app' }, 'sign-in/wrong-consumer-secret'],
  ['g4-multisource-csm/session-security-level', CSM, 'api/session-level-too-low'],
  ['g4-multisource-csm/api-not-enabled', CSM, 'api/api-currently-disabled'],
  ['g4-multisource-csm/app-uninstalled', CSM, 'sign-in/app-not-installed'],
  ['g4-multisource-csm', { 'Consumer Key': CSM['Consumer Secret'], 'Consumer Secret': CSM['Consumer Key'] }, 'sign-in/unknown-consumer-key'],
]) {
  const typed = scenario.includes('/') ? '' : ' with something else typed in'
  test(`${scenario}${typed} ends in ${code}`, async (t) => {
    const it = await install(t, scenario)
    const page = await becomeOwner(t, it)
    await savesAndChecks(page, it, fields)
    await isRefused(page, code)
    await isEmpty(page, it)
  })
}

// G3: mailfino, web server flow with an app of the server configuration

const KEY = '3MVG9.nordlicht.mailfino'
const MIA = ['mia@nordlicht.example', 'nordlicht-mia-password']
const REGISTERED = 'https://app.mailfino.example/oauth/salesforce/callback'

function configured(clientId = KEY) {
  return () => `[client_apps.nordlicht]
title = "mailfino"
client_id = "${clientId}"
client_secret = "nordlicht-mailfino-secret"
orgs = ["nordlicht.my.salesforce.com"]
`
}

/** mailfino's guide; the callback URL is the one that the console shows. */
const mailfino = (...changes) => (callback) => guide(3, [REGISTERED, callback], ...changes)

/** Somebody who was invited as a member, in a browser of their own. */
async function member(t, installation, owner) {
  await owner.goto(`${installation.url}users`)
  await owner.getByLabel('E-mail address').fill('mia@vendor.example')
  await press(owner, 'Make the link')
  const page = await visit(t, installation, await owner.locator('#made-link').innerText())
  await page.getByLabel('Password').fill(PASSWORD)
  await press(page, 'Create my account')
  await page.getByRole('heading', { name: 'Integrations' }).waitFor()
  return page
}

async function neverShows(page, secrets) {
  const text = await page.content()
  for (const secret of secrets) assert.ok(!text.includes(secret), `${page.url()} shows ${secret}`)
}

test('G3, mailfino: a member signs in with Salesforce, and sees no setting', async (t) => {
  const it = await install(t, mailfino(), configured())
  const owner = await becomeOwner(t, it)
  const mia = await member(t, it, owner)
  const hidden = [KEY, 'nordlicht-mailfino-secret']
  await neverShows(mia, hidden)
  await press(mia, 'Sign in with Salesforce')
  await logIn(mia, ...MIA)
  await press(mia, 'Allow')
  await mia.getByRole('heading', { name: 'as mia@nordlicht.example' }).waitFor()
  assert.ok(!mia.url().includes('code='), mia.url())
  await isAccessible(mia)
  await neverShows(mia, hidden)
  await mia.getByRole('link', { name: 'Continue' }).click()
  await mia.getByRole('heading', { name: 'nordlicht-mia' }).waitFor()
  await neverShows(mia, [...hidden, '00DgL0000003MAI', 'sqlite'])
  assert.equal(await mia.getByRole('button', { name: 'Check again' }).count(), 0)

  await press(mia, 'Renew my sign-in')
  await logIn(mia, ...MIA)
  await mia.getByRole('heading', { name: 'as mia@nordlicht.example' }).waitFor()
  await mia.getByText('goes on: its streams and its data are as they were').waitFor()

  await owner.goto(`${it.url}connections/nordlicht-mia/objects`)
  await owner.locator('#object-Contact').check()
  await press(owner, 'Import')
  await owner.getByText('The import is complete.').waitFor({ timeout: 60_000 })
  await owner.getByRole('row', { name: /Contact.*Complete.*1,600/ }).waitFor()
  await neverShows(owner, hidden)
  await mia.goto(`${it.url}connections/nordlicht-mia`)
  await mia.getByRole('row', { name: /Contact.*1,600/ }).waitFor()

  await mia.getByRole('link', { name: 'Disconnect' }).click()
  await isAccessible(mia)
  await press(mia, 'Disconnect')
  await mia.getByText('It is revoked at Salesforce, and its secrets are forgotten.').waitFor()
  await mia.getByRole('link', { name: 'To the connection' }).click()
  await mia.getByText('A person has ended it.').waitFor()
  await mia.getByRole('row', { name: /Contact.*1,600/ }).waitFor()
})

test('G3, mailfino: a user who denies is told so, and nothing is saved', async (t) => {
  const it = await install(t, mailfino(), configured())
  const page = await becomeOwner(t, it)
  await press(page, 'Sign in with Salesforce')
  await logIn(page, ...MIA)
  await press(page, 'Deny')
  await isRefused(page, 'sign-in/denied-by-user')
  await isEmpty(page, it)
})

for (const [mistake, scenario, config, code] of [
  ['the callback URL of the cloud is registered', 'g3-mailfino', configured(), 'sign-in/callback-mismatch'],
  ['the client id was cut off', mailfino(), configured(KEY.slice(0, -3)), 'sign-in/unknown-consumer-key'],
  ['only full access was selected', mailfino(['"api", "refresh_token", "offline_access"', '"full"']), configured(), 'sign-in/scope-not-on-app'],
]) {
  test(`G3, mailfino: ${mistake}: ${code}`, async (t) => {
    const it = await install(t, scenario, config)
    const page = await becomeOwner(t, it)
    await press(page, 'Sign in with Salesforce')
    const goesToSalesforce = await page.getByLabel('Username').isVisible()
    if (goesToSalesforce) await logIn(page, ...MIA)
    await isRefused(page, code)
    await isEmpty(page, it)
  })
}

test('G3, mailfino: what stays on a page of Salesforce is explained when it is pasted', async (t) => {
  const it = await install(t, 'g3-mailfino', configured())
  const page = await becomeOwner(t, it)
  await page.goto(`${it.url}connect/error-page`)
  await page.getByLabel('The address or the text of the page').fill('error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration')
  await press(page, 'What does it mean?')
  await isRefused(page, 'sign-in/callback-mismatch')
  await isAccessible(page)
})

// G5: Tesorio, user name, password and security token

const TESORIO = {
  'Consumer Key': '3MVG9.cascade.tesorio',
  'Consumer Secret': 'cascade-tesorio-secret',
  'Salesforce username': 'tesorio@cascade-freight.example',
  Password: 'cascade-tesorio-password',
  'Security token': 'TesorioSecurityToken000000',
}

test('G5, Tesorio: a password and a security token work, and the page says that this way is ending', async (t) => {
  const it = await install(t, 'g5-tesorio')
  const page = await becomeOwner(t, it)
  await chooseWay(page, it, 'User name and password')
  await page.getByRole('note').filter({ hasText: 'is ending' }).first().waitFor()
  await fill(page, TESORIO)
  await press(page, 'Save & Check')
  await page.getByText('Move to client credentials').first().waitFor()
  await importsAfterConnecting(page, TESORIO['Salesforce username'], { Account: '1,500', Contact: '3,500' })
})

for (const [mistake, changes, typed, code] of [
  ['another password', [], { Password: 'wrong' }, 'sign-in/authentication-failure'],
  ['another secret', [], { 'Consumer Secret': 'of another app' }, 'sign-in/wrong-consumer-secret'],
  ['a user without API Enabled', [['[profiles."Finance Operations"]\napi_enabled = true', '[profiles."Finance Operations"]\napi_enabled = false']], {}, 'api'],
]) {
  test(`G5, Tesorio: ${mistake} ends in ${code}`, async (t) => {
    const it = await install(t, () => guide(5, ...changes))
    const page = await becomeOwner(t, it)
    await chooseWay(page, it, 'User name and password')
    await fill(page, { ...TESORIO, ...typed })
    await press(page, 'Save & Check')
    await isRefused(page, code)
    await isEmpty(page, it)
  })
}
