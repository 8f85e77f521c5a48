import { enter, isMint, openScanner, result, showCode, wedge } from '../lib/apps.ts'
import { expect, test } from '../lib/test.ts'

test('signing out in one tab signs out the other', async ({ phone, city }) => {
  const { page, context } = await showCode(phone, 'resident-green')
  const other = await context.newPage()
  await other.goto(`${city.url}/app/#/me`)
  await other.getByTestId('sign-out').click()
  const ended = other.waitForResponse((response) => response.request().method() === 'DELETE')
  await other.getByRole('dialog').getByRole('button').last().click()
  expect((await ended).status()).toBe(204)
  for (const tab of [page, other]) {
    await expect(tab.getByTestId('signed-out')).toBeVisible()
    await expect(tab.getByTestId('code-qr')).toHaveCount(0)
  }
})

test('a session ended elsewhere signs out the page at its next call', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const { page } = await showCode(phone, 'resident-green', { clock: 'now' })
  const { access_token } = await page.evaluate(() => JSON.parse(localStorage.getItem('citycode.resident.session') ?? '{}') as { access_token: string })
  await city.call('DELETE', '/v1/sessions/current', undefined, access_token)
  await page.clock.fastForward(31_000)
  await expect(page.getByTestId('signed-out')).toBeVisible()
  await expect(page.getByTestId('code-qr')).toHaveCount(0)
  expect(await page.evaluate(() => localStorage.getItem('citycode.resident.session'))).toBeNull()
})

test('an app open for an hour keeps working: expired access tokens are renewed, three times over', async ({ phone, ownCity, guard }) => {
  guard.expectNetworkFailures()
  let city = await ownCity({ people: 20 })
  const resident = await showCode(phone, 'resident-green', { city })
  const verifier = await openScanner(phone, { city, preferences: { returnAfterMs: 0 } })
  let renewals = 0
  for (const { page } of [resident, verifier]) {
    page.on('response', (response) => {
      if (response.url().endsWith('/v1/sessions/refresh') && response.ok()) renewals++
    })
  }
  for (const minutes of [20, 40, 60]) {
    await test.step(`after ${minutes} minutes`, async () => {
      // The server's own clock moves on, so that its tokens really are over.
      await city.kill({ keepData: true })
      city = await ownCity({ people: 20, data: city.data, listen: city.address, flags: ['--clock', `+${minutes}m`] })
      const before = renewals
      const minted = resident.page.waitForResponse((response) => isMint(response.request()) && response.ok())
      await resident.page.evaluate(() => window.dispatchEvent(new Event('online')))
      await resident.page.getByTestId('code-refresh').click()
      const { code } = (await (await minted).json()) as { code: { text: string } }
      await expect(resident.page.getByTestId('code-qr')).toBeVisible()
      await wedge(verifier.page, code.text)
      await expect(result(verifier.page)).toHaveAttribute('data-admission', 'admit')
      await verifier.page.getByTestId('scan-next').click()
      expect(renewals).toBeGreaterThanOrEqual(before + 2)
    })
  }
  await expect(resident.page.getByTestId('signed-out')).toHaveCount(0)
})

test('two tabs that find their token expired at once renew it once and both go on', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const { page, context, origin } = await phone({ as: 'resident-green' })
  await page.goto(`${origin}/app/`)
  await expect(page.getByTestId('code-qr')).toBeVisible()
  const other = await context.newPage()
  await other.goto(`${origin}/app/#/me`)
  await expect(other.getByTestId('me')).toBeVisible()
  // The access token spoils for both; the refresh token is good once.
  for (const tab of [page, other]) {
    await tab.evaluate(() => {
      const key = 'citycode.resident.session'
      const tokens = JSON.parse(localStorage.getItem(key) ?? '{}') as Record<string, string>
      const spoilt = JSON.stringify({ ...tokens, access_token: 'spoilt' })
      localStorage.setItem(key, spoilt)
      dispatchEvent(new StorageEvent('storage', { key, newValue: spoilt }))
    })
  }
  await Promise.all([page.getByTestId('code-refresh').click(), other.evaluate(() => (location.hash = '#/looks'))])
  await expect(other.getByTestId('looks')).toBeVisible()
  await expect(page.getByTestId('code-qr')).toBeVisible()
  await expect(page.getByTestId('signed-out')).toHaveCount(0)
  expect((await city.personas()).length).toBeGreaterThan(4)
})

test('verifier: signing out ends the session, and the demo signs in again from there', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const { page } = await openScanner(phone)
  const { access_token } = await page.evaluate(() => JSON.parse(localStorage.getItem('citycode.verifier.session') ?? '{}') as { access_token: string })
  await page.goto(`${city.url}/verify/#/settings`)
  await page.getByTestId('sign-out').click()
  await page.getByRole('dialog').getByRole('button').last().click()
  await expect(page.getByTestId('signed-out')).toBeVisible()
  await expect(city.call('GET', '/v1/me', undefined, access_token)).rejects.toThrow('401')
  await page.getByTestId('signed-out').getByRole('button', { name: '演示' }).click()
  await expect(page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', 'none')
})

test('a resident who opens the verifier’s page is told that they are none', async ({ phone, city }) => {
  const { page } = await phone({ as: 'resident-green', app: 'verifier' })
  await page.goto(`${city.url}/verify/`)
  await expect(page.getByTestId('not-a-verifier')).toBeVisible()
  await expect(page.getByTestId('scanner-video')).toHaveCount(0)
})

test('a verifier can be a resident in the same browser', async ({ phone, city }) => {
  const { page } = await openScanner(phone)
  await page.goto(city.url)
  await page.getByTestId('persona-resident-green').click()
  await expect(page.getByTestId('code-qr')).toBeVisible()
  await page.goto(`${city.url}/verify/`)
  await expect(page.getByTestId('scanner-video')).toBeVisible()
  const answer = await enter(page, 'HELLO')
  expect(answer.outcome).toBe('malformed')
})
