// A whole working day of jsforce, unmodified, against the emulated org. Run by `cargo xtask test`, which gives addresses
// and credentials.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'

const org = JSON.parse(process.env.ORGTIDE_CLIENTS)
const jsforce = createRequire(`${org.npm}/`)('jsforce')
const VERSION = '60.0'
const POLLING = { pollInterval: 50, pollTimeout: 60_000 }

const conn = new jsforce.Connection({
  instanceUrl: org.plain,
  version: VERSION,
  oauth2: { loginUrl: org.plain, clientId: org.client_id, clientSecret: org.client_secret },
})

/** Every test's records carry its mark, so that tests do not meet. */
const mark = (name) => `jsforce ${name}`

before(async () => {
  await conn.authorize({ grant_type: 'client_credentials' })
  Object.assign(conn.bulk, POLLING)
  Object.assign(conn.bulk2, POLLING)
})

after(async () => {
  await conn.sobject('Contact').find({ Department: { $like: 'jsforce %' } }).destroy({ allowBulk: false })
  await conn.sobject('Account').find({ Site: { $like: 'jsforce %' } }).destroy({ allowBulk: false })
})

const accounts = (name, number) =>
  Array.from({ length: number }, (_, index) => ({ Name: `${mark(name)} ${index}`, Site: mark(name) }))

test('a query brings children with their parents, and their further pages', async () => {
  const name = mark('children')
  const { id } = await conn.sobject('Account').create({ Name: name, Site: name })
  const people = Array.from({ length: 600 }, (_, index) => ({ LastName: `P${index}`, AccountId: id, Department: name }))
  const made = await conn.sobject('Contact').create(people, { allowRecursive: true })
  assert.ok(made.every((result) => result.success))

  const found = await conn.sobject('Account').find({ Id: id }, 'Id, Name').include('Contacts').select('Id, LastName').end()
  const [account] = found
  const seen = new Set(account.Contacts.records.map((contact) => contact.Id))
  let page = account.Contacts
  while (!page.done) {
    page = await conn.queryMore(page.nextRecordsUrl)
    page.records.forEach((contact) => seen.add(contact.Id))
  }
  assert.equal(account.Contacts.totalSize, 600)
  assert.equal(seen.size, 600)
})

test('a query groups, counts and filters groups', async () => {
  const { records } = await conn.query(
    'SELECT LeadSource, COUNT(Id) n, MAX(CreatedDate) latest FROM Contact GROUP BY LeadSource HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC',
  )
  assert.ok(records.length > 1)
  assert.deepEqual(records[0].attributes, { type: 'AggregateResult' })
  for (const [more, less] of records.slice(1).map((less, index) => [records[index], less])) assert.ok(more.n >= less.n)
})

test('a query builder counts, sorts and limits', async () => {
  const total = await conn.sobject('Contact').count()
  assert.ok(total > 1000)
  const found = await conn
    .sobject('Contact')
    .find({ CreatedDate: { $gte: jsforce.SfDate.toDateTimeLiteral(new Date(0)) } }, ['Id', 'LastName', 'Account.Name'])
    .sort('-LastName')
    .limit(7)
    .skip(3)
  assert.equal(found.length, 7)
})

test('a query fetches all its pages when it is told to', async () => {
  const { records, totalSize } = await conn.query('SELECT Id FROM Contact', { autoFetch: true, maxFetch: 100_000 })
  assert.equal(records.length, totalSize)
})

test('a query explains how it would be answered', async () => {
  const { plans } = await conn.sobject('Account').find({ Name: 'Acme' }).explain()
  assert.ok(plans.length > 0)
  assert.equal(plans[0].sobjectType, 'Account')
})

test('records are created, read, changed, upserted and deleted by the hundred', async () => {
  const sobject = conn.sobject('Account')
  const made = await sobject.create(accounts('collections', 250), { allowRecursive: true })
  assert.equal(made.length, 250)
  const ids = made.map((result) => result.id)
  const read = await sobject.retrieve(ids.slice(0, 20), { fields: ['Id', 'Name'] })
  assert.deepEqual(read.map((record) => record.Id), ids.slice(0, 20))

  const changed = await sobject.update(ids.slice(0, 50).map((Id) => ({ Id, Phone: '+49 30 1' })))
  assert.ok(changed.every((result) => result.success))

  const keyed = ids.slice(0, 3).map((_, index) => ({ Name: 'keyed', Customer_Number__c: `JS-${index}`, Site: mark('collections') }))
  const first = await sobject.upsert(keyed, 'Customer_Number__c')
  const second = await sobject.upsert(keyed, 'Customer_Number__c')
  assert.deepEqual(first.map((result) => result.created), [true, true, true])
  assert.deepEqual(second.map((result) => result.created), [false, false, false])
  assert.deepEqual(second.map((result) => result.id), first.map((result) => result.id))

  const gone = await sobject.destroy([...ids, ...first.map((result) => result.id)], { allowRecursive: true })
  assert.ok(gone.every((result) => result.success))
})

test('a record that breaks a rule is refused alone, or with all', async () => {
  const records = [{ Name: mark('partial'), Site: mark('partial') }, { Phone: 'no name' }]
  const some = await conn.sobject('Account').create(records)
  assert.deepEqual(some.map((result) => result.success), [true, false])
  assert.equal(some[1].errors[0].statusCode, 'REQUIRED_FIELD_MISSING')
  const none = await conn.sobject('Account').create(records, { allOrNone: true })
  assert.deepEqual(none.map((result) => result.success), [false, false])
  assert.equal(none[0].errors[0].statusCode, 'ALL_OR_NONE_OPERATION_ROLLED_BACK')
})

test('one record is upserted by its external id', async () => {
  const record = { LastName: 'Upserted', Customer_Id__c: 'JS-C1', Department: mark('upsert') }
  const first = await conn.sobject('Contact').upsert(record, 'Customer_Id__c')
  const second = await conn.sobject('Contact').upsert({ ...record, FirstName: 'Again' }, 'Customer_Id__c')
  assert.equal(first.created, true)
  assert.equal(second.created, false)
  assert.equal(first.id, second.id)
})

test('a composite request builds on its own answers', async () => {
  const answer = await conn.requestPost('/composite', {
    allOrNone: true,
    compositeRequest: [
      { method: 'POST', url: `/services/data/v${VERSION}/sobjects/Account`, referenceId: 'account', body: { Name: mark('composite'), Site: mark('composite') } },
      { method: 'POST', url: `/services/data/v${VERSION}/sobjects/Contact`, referenceId: 'contact', body: { LastName: 'C', AccountId: '@{account.id}', Department: mark('composite') } },
      { method: 'GET', url: `/services/data/v${VERSION}/sobjects/Contact/@{contact.id}?fields=AccountId`, referenceId: 'read' },
    ],
  })
  const [account, , read] = answer.compositeResponse
  assert.equal(account.httpStatusCode, 201)
  assert.equal(read.body.AccountId, account.body.id)
})

test('a tree of records is created in one call', async () => {
  const answer = await conn.requestPost('/composite/tree/Account', {
    records: [
      {
        attributes: { type: 'Account', referenceId: 'a' },
        Name: mark('tree'),
        Site: mark('tree'),
        Contacts: { records: [{ attributes: { type: 'Contact', referenceId: 'c' }, LastName: 'T', Department: mark('tree') }] },
      },
    ],
  })
  assert.equal(answer.hasErrors, false)
  const { records } = await conn.query(`SELECT Account.Name FROM Contact WHERE Id = '${answer.results.find((result) => result.referenceId === 'c').id}'`)
  assert.equal(records[0].Account.Name, mark('tree'))
})

test('a search finds words in any object', async () => {
  const name = 'Xylophonewerk'
  const { id } = await conn.sobject('Account').create({ Name: `${name} GmbH`, Site: mark('search') })
  const { searchRecords } = await conn.search(`FIND {${name}*} IN ALL FIELDS RETURNING Account(Id, Name), Contact(Id)`)
  assert.deepEqual(searchRecords.map((record) => record.Id), [id])
})

test('Bulk 2.0 loads records and says of each what became of it', async () => {
  const input = [...accounts('bulk2', 300), { Name: '', Site: mark('bulk2') }]
  const results = await conn.bulk2.loadAndWaitForResults({ object: 'Account', operation: 'insert', input, ...POLLING })
  assert.equal(results.successfulResults.length, 300)
  assert.equal(results.failedResults.length, 1)
  assert.match(results.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING/)
  assert.equal(results.unprocessedRecords.length, 0)

  const changed = results.successfulResults.map((row) => ({ Id: row.sf__Id, Phone: '5' }))
  const updated = await conn.bulk2.loadAndWaitForResults({ object: 'Account', operation: 'update', input: changed, ...POLLING })
  assert.equal(updated.successfulResults.length, 300)
  const gone = results.successfulResults.map((row) => ({ Id: row.sf__Id }))
  const deleted = await conn.bulk2.loadAndWaitForResults({ object: 'Account', operation: 'delete', input: gone, ...POLLING })
  assert.equal(deleted.successfulResults.length, 300)
})

test('Bulk 2.0 upserts by external id', async () => {
  const input = Array.from({ length: 10 }, (_, index) => ({ LastName: `B${index}`, Customer_Id__c: `JS-B${index}`, Department: mark('bulk2') }))
  const load = () => conn.bulk2.loadAndWaitForResults({ object: 'Contact', operation: 'upsert', externalIdFieldName: 'Customer_Id__c', input, ...POLLING })
  const [first, second] = [await load(), await load()]
  assert.ok(first.successfulResults.every((row) => row.sf__Created === 'true'))
  assert.ok(second.successfulResults.every((row) => row.sf__Created === 'false'))
})

test('Bulk 1.0 loads and queries', async () => {
  const results = await conn.bulk.load('Account', 'insert', accounts('bulk1', 40))
  assert.equal(results.length, 40)
  assert.ok(results.every((result) => result.success && /^001/.test(result.id)))
  const rows = await (await conn.bulk.query(`SELECT Id, Name FROM Account WHERE Site = '${mark('bulk1')}'`)).toArray()
  assert.equal(rows.length, 40)
  const gone = await conn.bulk.load('Account', 'delete', rows.map(({ Id }) => ({ Id })))
  assert.ok(gone.every((result) => result.success))
})

test('a found set of records is changed and deleted through Bulk', async () => {
  await conn.sobject('Account').create(accounts('found', 30))
  const found = () => conn.sobject('Account').find({ Site: mark('found') })
  const changed = await found().update({ Sic: '7' }, 'Account', { bulkThreshold: 10 })
  assert.equal(changed.length, 30)
  const gone = await found().destroy('Account', { bulkThreshold: 10 })
  assert.equal(gone.length, 30)
  assert.equal(await conn.sobject('Account').count({ Site: mark('found') }), 0)
})

test('SOAP answers what time it is, who asks, and writes', async () => {
  const { timestamp } = await conn.soap.getServerTimestamp()
  assert.ok(Number.isFinite(Date.parse(timestamp)))
  const user = await conn.soap.getUserInfo()
  assert.equal(user.userName, org.run_as)
  const [made] = await conn.soap.create([{ type: 'Account', Name: mark('soap'), Site: mark('soap') }])
  const [gone] = await conn.soap.delete([made.id])
  const [back] = await conn.soap.undelete([made.id])
  assert.deepEqual([made.success, gone.success, back.success], [true, true, true])
})

test('SOAP merges records', async () => {
  const [master, loser] = await conn.sobject('Account').create(accounts('merge', 2))
  const merged = await conn.soap.merge([
    { masterRecord: { type: 'Account', Id: master.id }, recordToMergeIds: [loser.id] },
  ])
  assert.equal([merged].flat()[0].success, true)
  const { records } = await conn.query(`SELECT MasterRecordId FROM Account WHERE Id = '${loser.id}'`, { scanAll: true })
  assert.equal(records[0].MasterRecordId, master.id)
})

test('the tooling API lists objects and fields', async () => {
  const { records } = await conn.tooling.query("SELECT QualifiedApiName, KeyPrefix FROM EntityDefinition WHERE QualifiedApiName IN ('Account', 'Contact')")
  assert.deepEqual(records.map((record) => [record.QualifiedApiName, record.KeyPrefix]).sort(), [['Account', '001'], ['Contact', '003']])
})

test('what tools ask when they have signed in is answered', async () => {
  const me = await conn.chatter.resource('/users/me').retrieve()
  assert.equal(me.username, org.run_as)
  const { records } = await conn.query('SELECT Id, Name, OrganizationType, IsSandbox FROM Organization')
  assert.equal(records.length, 1)
  for (const ask of [conn.limits(), conn.tabs(), conn.theme(), conn.recent(), conn.describeGlobal()]) assert.ok(await ask)
  const layouts = await conn.sobject('Account').layouts()
  assert.ok(Array.isArray(layouts.layouts))
})

test('what has changed and what is gone is listed', async () => {
  const end = new Date(Date.now() + 3_600_000).toISOString()
  const start = new Date(Date.now() - 3_600_000).toISOString()
  const updated = await conn.sobject('Account').updated(start, end)
  assert.ok(Array.isArray(updated.ids))
  const deleted = await conn.sobject('Account').deleted(start, end)
  assert.ok(Array.isArray(deleted.deletedRecords))
})

test('a file goes up and comes back as it was', async () => {
  const { id } = await conn.sobject('Account').create({ Name: mark('file'), Site: mark('file') })
  const Body = Buffer.from('%PDF-1.4 \u0000 binary').toString('base64')
  const made = await conn.sobject('Attachment').create({ ParentId: id, Name: 'a.pdf', Body })
  const chunks = []
  for await (const chunk of conn.sobject('Attachment').record(made.id).blob('Body')) chunks.push(chunk)
  assert.equal(Buffer.concat(chunks.map((chunk) => Buffer.from(chunk))).toString('base64'), Body)
})
