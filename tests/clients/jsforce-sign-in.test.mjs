// jsforce, unmodified: the ways to sign in that it offers beside client credentials and the password flow.
import assert from 'node:assert/strict'
import { createSign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { Person } from './person.mjs'

const org = JSON.parse(process.env.ORGTIDE_CLIENTS)
const jsforce = createRequire(`${org.npm}/`)('jsforce')
const VERSION = '60.0'
const CALLBACK = 'https://app.example/callback'

const contacts = async (conn) => (await conn.query('SELECT COUNT() FROM Contact')).totalSize

/** A connection after a person has signed in and allowed the app. */
async function bySigningIn(more = {}) {
  const oauth2 = new jsforce.OAuth2({
    loginUrl: org.plain,
    clientId: org.client_id,
    clientSecret: org.client_secret,
    redirectUri: CALLBACK,
    ...more,
  })
  const person = new Person(org.username, org.password)
  const address = await person.authorize(oauth2.getAuthorizationUrl({ scope: 'api id refresh_token' }), CALLBACK)
  const conn = new jsforce.Connection({ oauth2, version: VERSION })
  const user = await conn.authorize(new URL(address).searchParams.get('code'))
  return { conn, user }
}

for (const useVerifier of [false, true]) {
  test(`jsforce signs in by authorization code ${useVerifier ? 'with' : 'without'} PKCE`, async () => {
    const { conn, user } = await bySigningIn({ useVerifier })
    assert.match(user.id, /^005\w{15}$/)
    assert.equal((await conn.identity()).username, org.username)
    assert.ok((await contacts(conn)) > 0)
  })
}

test('jsforce refreshes by itself when its session has expired', async () => {
  const { conn } = await bySigningIn({ useVerifier: true })
  const first = conn.accessToken
  const refreshed = new Promise((resolve) => conn.once('refresh', resolve))
  await fetch(`${org.plain}/__emulator/sessions`, { method: 'DELETE' })
  assert.ok((await contacts(conn)) > 0)
  assert.notEqual(await refreshed, first)
})

test('jsforce is told when its refresh token has been revoked', async () => {
  const { conn } = await bySigningIn({ useVerifier: true })
  await conn.oauth2.revokeToken(conn.refreshToken)
  await assert.rejects(contacts(conn), (error) => {
    assert.match(`${error.name} ${error.errorCode} ${error.message}`, /invalid_grant|expired access\/refresh token/)
    return true
  })
})

test('jsforce signs in by SOAP login() with password and security token', async () => {
  const conn = new jsforce.Connection({ loginUrl: org.plain, version: VERSION })
  const user = await conn.login(org.username, org.password + org.security_token)
  assert.match(user.organizationId, /^00D\w{15}$/)
  assert.ok((await contacts(conn)) > 0)
})

test('jsforce is told by SOAP login() what is wrong with the password', async () => {
  const conn = new jsforce.Connection({ loginUrl: org.plain, version: VERSION })
  await assert.rejects(conn.login(org.username, 'wrong'), (error) => {
    assert.match(`${error.errorCode} ${error.message}`, /INVALID_LOGIN/)
    return true
  })
})

test('jsforce signs in by a JWT', async () => {
  const conn = new jsforce.Connection({ oauth2: { loginUrl: org.plain }, instanceUrl: org.plain, version: VERSION })
  await conn.authorize({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion: assertion() })
  assert.ok((await contacts(conn)) > 0)
})

/** An assertion with its times in seconds, signed with the key of the scenario's app. */
function assertion() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = {
    iss: org.jwt_client_id,
    sub: org.run_as,
    aud: 'https://login.salesforce.com',
    exp: Math.floor(Date.now() / 1000) + 180,
  }
  const signed = `${part({ alg: 'RS256' })}.${part(claims)}`
  const key = readFileSync('emulator/tests/it/keys/client.key.pem')
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`
}
