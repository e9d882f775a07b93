// jsforce, unmodified, against the emulated org. Run by `cargo xtask test`, which gives addresses and credentials.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'

const org = JSON.parse(process.env.ORGTIDE_CLIENTS)
const jsforce = createRequire(`${org.npm}/`)('jsforce')
const VERSION = '60.0'

/** The two ways to the same org: plain HTTP on loopback, and TLS under its real name through the CONNECT proxy. */
const ways = [
  { name: 'plain HTTP', loginUrl: org.plain, httpProxy: undefined },
  { name: 'TLS through the proxy', loginUrl: org.url, httpProxy: org.proxy },
]

for (const way of ways) {
  const connection = () =>
    new jsforce.Connection({
      ...(way.httpProxy && { httpProxy: way.httpProxy }),
      instanceUrl: way.loginUrl,
      version: VERSION,
      oauth2: {
        loginUrl: way.loginUrl,
        clientId: org.client_id,
        clientSecret: org.client_secret,
        ...(way.httpProxy && { httpProxy: way.httpProxy }),
      },
    })

  const signedIn = async () => {
    const conn = connection()
    await conn.authorize({ grant_type: 'client_credentials' })
    return conn
  }

  test(`jsforce over ${way.name} signs in by client credentials and learns who it is`, async () => {
    const conn = await signedIn()
    assert.ok(conn.accessToken)
    const identity = await conn.identity()
    assert.equal(identity.username, org.run_as)
    assert.match(identity.organization_id, /^00D\w{15}$/)
  })

  test(`jsforce over ${way.name} signs in by password and security token`, async () => {
    const conn = connection()
    const user = await conn.login(org.username, org.password + org.security_token)
    assert.match(user.id, /^005\w{15}$/)
    assert.ok(conn.accessToken)
  })

  test(`jsforce over ${way.name} is told why a wrong secret is refused`, async () => {
    const conn = connection()
    conn.oauth2.clientSecret = 'wrong'
    await assert.rejects(conn.authorize({ grant_type: 'client_credentials' }), (error) => {
      assert.match(`${error.name} ${error.errorCode} ${error.message}`, /invalid_client/)
      return true
    })
  })

  test(`jsforce over ${way.name} describes the org and an object`, async () => {
    const conn = await signedIn()
    const { sobjects } = await conn.describeGlobal()
    assert.ok(sobjects.some((object) => object.name === 'Contact' && object.keyPrefix === '003'))
    const contact = await conn.describe('Contact')
    const field = (name) => contact.fields.find((candidate) => candidate.name === name)
    assert.equal(field('Id').type, 'id')
    assert.deepEqual(field('AccountId').referenceTo, ['Account'])
    assert.equal(field('SystemModstamp').type, 'datetime')
  })

  test(`jsforce over ${way.name} pages through more records than fit in one page`, async () => {
    const conn = await signedIn()
    const first = await conn.query('SELECT Id, LastName FROM Contact ORDER BY Id', { autoFetch: false })
    assert.ok(first.records.length < first.totalSize)
    assert.equal(first.done, false)
    const ids = new Set(first.records.map((record) => record.Id))
    let page = first
    while (!page.done) {
      page = await conn.queryMore(page.nextRecordsUrl)
      page.records.forEach((record) => ids.add(record.Id))
    }
    assert.equal(ids.size, first.totalSize)
  })

  test(`jsforce over ${way.name} reads parents by path`, async () => {
    const conn = await signedIn()
    const { records } = await conn.query('SELECT Id, Account.Name FROM Contact WHERE AccountId != null LIMIT 5')
    assert.equal(records.length, 5)
    records.forEach((record) => assert.equal(typeof record.Account.Name, 'string'))
  })

  test(`jsforce over ${way.name} is told what is wrong with a query`, async () => {
    const conn = await signedIn()
    await assert.rejects(conn.query('SELECT Nothing__c FROM Contact'), (error) => {
      assert.equal(error.errorCode, 'INVALID_FIELD')
      return true
    })
  })

  test(`jsforce over ${way.name} creates, reads, changes and deletes a record`, async () => {
    const conn = await signedIn()
    const created = await conn.sobject('Account').create({ Name: 'Zoë "Z" & Söhne, 株式会社' })
    assert.equal(created.success, true)
    assert.match(created.id, /^001\w{15}$/)
    await conn.sobject('Account').update({ Id: created.id, Phone: '+49 30 1234' })
    const read = await conn.sobject('Account').retrieve(created.id)
    assert.equal(read.Name, 'Zoë "Z" & Söhne, 株式会社')
    assert.equal(read.Phone, '+49 30 1234')
    await conn.sobject('Account').destroy(created.id)
    const { records } = await conn.query(`SELECT Id FROM Account WHERE Id = '${created.id}'`)
    assert.equal(records.length, 0)
  })

  test(`jsforce over ${way.name} reads the same rows by Bulk as by query`, async () => {
    const conn = await signedIn()
    const soql = 'SELECT Id, LastName FROM Contact ORDER BY Id LIMIT 500'
    const byQuery = (await conn.query(soql)).records.map(({ Id, LastName }) => ({ Id, LastName }))
    const stream = await conn.bulk2.query(soql, { pollInterval: 50, pollTimeout: 60_000 })
    const byBulk = (await stream.toArray()).map(({ Id, LastName }) => ({ Id, LastName }))
    assert.deepEqual(byBulk, byQuery)
  })

  test(`jsforce over ${way.name} sees the org's limits`, async () => {
    const conn = await signedIn()
    const limits = await conn.limits()
    assert.ok(limits.DailyApiRequests.Max > limits.DailyApiRequests.Remaining)
    assert.equal(typeof conn.limitInfo.apiUsage.used, 'number')
  })

  test(`jsforce over ${way.name} revokes its token, which then opens nothing`, async () => {
    const conn = await signedIn()
    const token = conn.accessToken
    await conn.oauth2.revokeToken(token)
    // A connection that knows the token alone does not try to sign in again.
    const { instanceUrl } = conn
    const proxy = way.httpProxy && { httpProxy: way.httpProxy }
    const afterwards = new jsforce.Connection({ instanceUrl, accessToken: token, version: VERSION, ...proxy })
    await assert.rejects(afterwards.query('SELECT Id FROM Contact LIMIT 1'), (error) => {
      assert.equal(error.errorCode, 'INVALID_SESSION_ID')
      return true
    })
  })
}
