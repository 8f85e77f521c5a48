import type { Page, Request } from '@playwright/test'
import type { CodeAnswer } from './city.ts'
import { expect, type Phone, type PhoneOptions } from './test.ts'

export type MakePhone = (options?: PhoneOptions) => Promise<Phone>

/** The answer to POST /v1/verifications, as far as tests read it. */
export interface Verification {
  id: string
  outcome: string
  admission: string
  kind: string | null
  status?: { color: string; label: string } | null
  subject?: { name?: string; document_number?: string; photo_url?: string } | null
  watermark: { text: string }
  verified_at: string
  repeated?: boolean
}

export const isMint = (request: Request): boolean => request.method() === 'POST' && new URL(request.url()).pathname === '/v1/codes'
export const isScan = (request: Request): boolean => request.method() === 'POST' && new URL(request.url()).pathname === '/v1/verifications'

/** Opens the resident's app and waits for a code; answers the phone and what the code says. */
export async function showCode(phone: MakePhone, as: string, options: PhoneOptions = {}): Promise<Phone & { minted: CodeAnswer }> {
  const made = await phone({ as, ...options })
  const answer = made.page.waitForResponse((response) => isMint(response.request()) && response.ok())
  await made.page.goto(`${made.origin}/app/`)
  const minted = (await (await answer).json()) as CodeAnswer
  await expect(made.page.getByTestId('code-qr')).toBeVisible()
  return { ...made, minted }
}

/** Opens the verifier's app and waits for the camera's picture. */
export async function openScanner(phone: MakePhone, options: PhoneOptions = {}): Promise<Phone> {
  const made = await phone({ as: 'verifier', ...options })
  await made.page.goto(`${made.origin}/verify/`)
  await expect(made.page.getByTestId('scanner-video')).toBeVisible()
  await expect(made.page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', 'none')
  return made
}

/** Holds a picture before the verifier's camera and waits for the server's answer on the screen. */
export async function scan(verifier: Phone, picture: Buffer | string): Promise<Verification> {
  const answered = verifier.page.waitForResponse((response) => isScan(response.request()))
  await verifier.camera.see(picture)
  const verification = (await (await answered).json()) as Verification
  await expect(result(verifier.page)).toBeVisible()
  return verification
}

export const result = (page: Page) => page.getByTestId('result')

/** Types a text into the field for it and sends it. */
export async function enter(page: Page, text: string): Promise<Verification> {
  await page.getByTestId('manual-open').click()
  await page.getByTestId('manual-input').fill(text)
  const answered = page.waitForResponse((response) => isScan(response.request()))
  await page.getByTestId('manual-submit').click()
  const verification = (await (await answered).json()) as Verification
  await expect(result(page)).toBeVisible()
  return verification
}

/** A hand scanner's burst of keys, 5 ms each however slow the machine is. */
export async function wedge(page: Page, text: string, end = 'Enter'): Promise<void> {
  await page.evaluate(([keys, last]) => {
    let at = performance.now()
    const press = (key: string) => {
      const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, composed: true })
      Object.defineProperty(event, 'timeStamp', { value: (at += 5) })
      ;(document.activeElement ?? document.body).dispatchEvent(event)
    }
    for (const key of keys!) press(key)
    press(last!)
  }, [text, end])
}

/** Everything that a page holds, seen or not: markup, attributes, fields, storage. */
export function everything(page: Page): Promise<string> {
  return page.evaluate(() => [
    document.documentElement.outerHTML,
    ...Array.from(document.querySelectorAll('input, textarea'), (field) => (field as HTMLInputElement).value),
    JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.title, location.href,
  ].join('\n'))
}

/** Chooses a language or a type size as another page of the same device would: it shows at once. */
export async function setting(page: Page, key: 'citycode.language' | 'citycode.type_size', value: string): Promise<void> {
  await page.evaluate(([name, wish]) => {
    localStorage.setItem(name!, wish!)
    dispatchEvent(new StorageEvent('storage', { key: name!, newValue: wish! }))
  }, [key, value])
  await expect(page.locator('html')).toHaveAttribute(key === 'citycode.language' ? 'lang' : 'data-type-size', value)
}

/** The page goes behind another app or tab, or comes back. */
export async function hide(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate((is) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => (is ? 'hidden' : 'visible') })
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => is })
    document.dispatchEvent(new Event('visibilitychange'))
  }, hidden)
}

/** 2026-11-22 09:41:27 in the city's zone. */
export function cityTime(at: string | number): string {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: 'Asia/Shanghai', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
  }).formatToParts(new Date(at))
  const part = (type: string) => parts.find((one) => one.type === type)?.value ?? ''
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')}:${part('second')}`
}
