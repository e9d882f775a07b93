// An emulated org set up by a scenario, and a fresh installation of the program that reaches it.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { open, org as shared } from './browser.mjs'

export const OWNER = 'ada@vendor.example'
export const PASSWORD = 'correct horse battery staple'

/** A program that says as JSON where it listens; gone after the test `t`. */
async function start(t, args, env = {}) {
  const child = spawn(shared.program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill())
  const lines = createInterface({ input: child.stdout })
  for await (const line of lines) {
    const document = JSON.parse(line)
    if (document.error) throw new Error(line)
    return document
  }
  throw new Error(`${args.join(' ')} ended before it listened`)
}

/** A port that was free a moment ago: a callback URL is registered before the console listens there. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.on('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** The text of a guide's scenario, changed as an administrator would who does something else than the guide says. */
export async function guide(number, ...changes) {
  let text = await readFile(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, `../../emulator/scenarios/guides/g${number}.toml`), 'utf8')
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the scenario does not say ${from}`)
    text = text.replace(from, to)
  }
  return text
}

/**
 * Starts an org and the console beside it. `scenario` is the name of a scenario that comes with the program, or a
 * function from the console's callback URL to the text of one; `config` a function to the text of a configuration file.
 */
export async function install(t, scenario, config) {
  const folder = await mkdtemp(join(tmpdir(), 'orgtide-browser-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const callback = `http://localhost:${port}/oauth/callback`
  let name = scenario
  if (typeof scenario === 'function') {
    name = join(folder, 'scenario.toml')
    await writeFile(name, await scenario(callback))
  }
  const org = await start(t, ['emulator', '--json', '--scenario', name], { HOME: folder })
  const env = {
    HOME: folder,
    ORGTIDE_DATA_DIR: join(folder, 'data'),
    ORGTIDE_MAPPED_HOSTS: org.mapped_hosts,
    ORGTIDE_MAPPED_HOSTS_CA: org.ca,
  }
  if (config) {
    env.ORGTIDE_CONFIG = join(folder, 'config.toml')
    await writeFile(env.ORGTIDE_CONFIG, config(org))
  }
  const served = await start(t, ['serve', '--json', '--listen', `127.0.0.1:${port}`], env)
  return { org, callback, url: served.url, first: served.first_start, host: new URL(org.url).host }
}

/** A browser that reaches the org under its real names as well as the console. That a form is refused is no fault. */
export function visit(t, installation, url = installation.url, options = {}) {
  const proxy = { server: installation.org.proxy, bypass: 'localhost,127.0.0.1' }
  return open(t, url, { proxy, ignoreHTTPSErrors: true, expectedError: 'status of 422', ...options })
}

/** The first start, by the link that the program printed. */
export async function becomeOwner(t, installation, options) {
  const page = await visit(t, installation, installation.first, options)
  await page.getByLabel('E-mail address').fill(OWNER)
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: "Create the owner's account" }).click()
  await page.getByRole('heading', { name: 'Integrations' }).waitFor()
  return page
}

/** Integrations > Connect > address > way, up to the form. */
export async function chooseWay(page, installation, way, address = installation.org.url) {
  await page.goto(installation.url)
  await page.getByRole('link', { name: 'Connect', exact: true }).click()
  await page.getByLabel('Address of the org').fill(address)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('link', { name: new RegExp(`^Use this way.*: ${way.replace(/[()]/g, '\\$&')}$`) }).click()
}

export async function fill(page, fields) {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label).fill(value)
}

export async function press(page, name) {
  await page.getByRole('button', { name, exact: true }).click()
}

/** "Connected to … as …", Continue, choose objects, and wait until their rows are there. */
export async function importsAfterConnecting(page, username, objects) {
  await page.getByRole('heading', { name: `as ${username}` }).waitFor()
  await page.getByRole('link', { name: /^Continue/ }).click()
  for (const object of Object.keys(objects)) await page.locator(`#object-${object}`).check()
  await press(page, 'Import')
  await page.getByText('The import is complete.').waitFor({ timeout: 60_000 })
  for (const [object, rows] of Object.entries(objects)) {
    await page.getByRole('row', { name: new RegExp(`${object}.*Complete.*${rows}`) }).waitFor()
  }
  await page.getByRole('link', { name: 'To the connection' }).click()
  await page.getByRole('heading', { name: 'Streams' }).waitFor()
}

/** The newest code that the org has mailed. */
export async function mailedCode(installation) {
  const messages = await (await fetch(`${installation.org.plain}/__emulator/mailbox`)).json()
  return messages.at(-1).code
}

/** A person at Salesforce's login page. */
export async function logIn(page, username, password) {
  await page.getByLabel('Username').fill(username)
  await page.getByLabel('Password').fill(password)
  await press(page, 'Log In')
}
