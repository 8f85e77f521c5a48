import { expect, test } from '../lib/test.ts'
import { check } from '../lib/check.ts'

test('a real city’s start page says how people will sign in and knows no demo', async ({ phone, ownCity, guard }) => {
  const city = await ownCity({ mode: 'serve' })
  for (const [method, path] of [['GET', '/v1/demo/personas'], ['POST', '/v1/demo/sessions']] as const) {
    const answer = await fetch(city.url + path, {
      method, headers: { 'Content-Type': 'application/json' }, ...(method === 'POST' ? { body: '{"persona":"resident-green"}' } : {}),
    })
    expect(answer.status).toBe(404)
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
  }
  for (const language of ['zh-CN', 'en'] as const) {
    const { page } = await phone({ city, language })
    await page.goto(city.url)
    await expect(page.getByTestId('how-to-sign-in')).toContainText(language === 'en' ? 'Sign' : '登录')
    await expect(page.getByTestId('sample')).toHaveCount(0)
    await expect(page.locator('[data-testid^=persona-]')).toHaveCount(0)
    await check(page, `start page of a real city, ${language}`)
    await page.goto(`${city.url}/app/`)
    await expect(page.getByTestId('signed-out')).toBeVisible()
    await expect(page.getByTestId('signed-out')).toContainText('12345')
    await check(page, `resident signed out in a real city, ${language}`)
    await page.goto(`${city.url}/verify/`)
    await expect(page.getByTestId('signed-out')).toBeVisible()
    await check(page, `verifier signed out in a real city, ${language}`)
  }
  expect(guard.findings).toEqual([])
})

test('the API’s reference is served whole', async ({ phone, city }) => {
  const { page } = await phone({ width: 1280, height: 800 })
  await page.goto(`${city.url}/docs`)
  await expect(page.getByText('/v1/verifications', { exact: true }).first()).toBeVisible()
  await expect(page.getByText('/v1/codes', { exact: true }).first()).toBeVisible()
  const document = await city.call<{ openapi: string; paths: Record<string, unknown> }>('GET', '/openapi.json')
  expect(document.openapi).toMatch(/^3\.1/)
  expect(Object.keys(document.paths)).toContain('/v1/verifications')
  await check(page, 'API reference')
})

test('an address that leads nowhere is 404 and offers the start page', async ({ phone, city, guard }) => {
  guard.expectNetworkFailures()
  const { page } = await phone()
  const answer = await page.goto(`${city.url}/no/such/page`)
  expect(answer?.status()).toBe(404)
  await page.getByRole('link').first().click()
  await expect(page.getByTestId('persona-verifier')).toBeVisible()
})
