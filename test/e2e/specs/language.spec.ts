import { openScanner, showCode } from '../lib/apps.ts'
import { expect, test } from '../lib/test.ts'

test('resident: language and type size change at once and are remembered', async ({ phone, city }) => {
  const { page } = await showCode(phone, 'resident-green')
  await page.goto(`${city.url}/app/#/me`)
  const size = () => page.evaluate(() => parseFloat(getComputedStyle(document.body).fontSize))
  expect(await size()).toBe(16)
  await page.getByTestId('lang').getByText('English').click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Me')
  await expect(page.locator('html')).toHaveAttribute('lang', 'en')
  await page.getByTestId('type-size').getByRole('button').last().click()
  expect(await size()).toBe(20)
  await page.goto(`${city.url}/app/#/`)
  await expect(page.getByTestId('code-refresh')).toHaveText('Refresh')
  await expect(page.getByTestId('status-card')).toContainText('Green')
  await page.reload()
  await expect(page.getByTestId('code-refresh')).toHaveText('Refresh')
  expect(await size()).toBe(20)
  expect(await page.title()).toMatch(/^[ -~]+$/)
})

test('verifier: language and type size change at once and are remembered', async ({ phone, city }) => {
  const { page } = await openScanner(phone)
  await page.goto(`${city.url}/verify/#/settings`)
  await page.getByTestId('lang').getByText('English').click()
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Settings')
  await page.getByTestId('type-size').getByRole('button').last().click()
  await page.goto(`${city.url}/verify/#/`)
  await expect(page.getByTestId('manual-open')).toContainText(/type/i)
  // Scenes are named by the server, in the language asked for.
  await expect(page.getByTestId('scene-select')).toContainText('Venue entry')
  await page.reload()
  await expect(page.getByTestId('scene-select')).toContainText('Venue entry')
  await expect(page.locator('html')).toHaveAttribute('data-type-size', 'large')
})

test('a phone in English is greeted in English', async ({ phone, city }) => {
  const { page } = await phone({ language: 'en' })
  await page.goto(city.url)
  await expect(page.locator('html')).toHaveAttribute('lang', 'en')
  await expect(page.getByTestId('persona-verifier')).toContainText(/verifier/i)
})
