import type { Route } from '@playwright/test'
import { enter, hide, openScanner, showCode, wedge, type MakePhone } from './apps.ts'
import type { City } from './city.ts'
import type { Guard } from './guard.ts'
import { expect, type Phone, type PhoneOptions } from './test.ts'

/** What a state is brought about with. */
export interface Bench {
  phone: MakePhone
  city: City
  guard: Guard
}

/** One thing that a person can have on the screen. */
export interface State {
  name: string
  /** It shows or has spoken words that don't follow a change of language: each language needs it anew. */
  spoken?: boolean
  open: (bench: Bench, options: PhoneOptions) => Promise<Phone>
}

const STAY = { returnAfterMs: 0 }

/** Every page of the apps in every state that it has. */
export const states: State[] = [
  {
    name: 'home',
    async open({ phone }, options) {
      const made = await phone(options)
      await made.page.goto(made.origin)
      await expect(made.page.getByTestId('persona-verifier')).toBeVisible()
      return made
    },
  },
  ...(['green', 'yellow', 'red'] as const).map((color) => ({
    name: `resident ${color}`,
    open: ({ phone }: Bench, options: PhoneOptions) => showCode(phone, `resident-${color}`, options),
  })),
  {
    name: 'resident before the first code',
    async open({ phone }, options) {
      const made = await phone({ as: 'resident-green', ...options })
      await made.page.route('**/v1/codes', () => undefined) // never answered
      await made.page.goto(`${made.origin}/app/`)
      await expect(made.page.getByTestId('status-card')).toBeVisible()
      return made
    },
  },
  {
    name: 'resident covered',
    async open({ phone }, options) {
      const made = await showCode(phone, 'resident-green', options)
      await hide(made.page, true)
      await expect(made.page.getByTestId('code-cover')).toBeVisible()
      return made
    },
  },
  {
    name: 'resident without a network, code still good',
    spoken: true,
    async open({ phone, guard }, options) {
      guard.expectNetworkFailures()
      const made = await showCode(phone, 'resident-green', { clock: 'now', ...options })
      await made.context.setOffline(true)
      await made.page.clock.fastForward(31_000)
      await expect(made.page.getByTestId('offline')).toBeVisible()
      return made
    },
  },
  {
    name: 'resident without a network, code over',
    spoken: true,
    async open({ phone, guard }, options) {
      guard.expectNetworkFailures()
      const made = await showCode(phone, 'resident-green', { clock: 'now', ...options })
      await made.context.setOffline(true)
      await made.page.clock.fastForward(65_000)
      await expect(made.page.getByTestId('code-trouble')).toBeVisible()
      return made
    },
  },
  {
    name: 'resident refused',
    async open({ phone, guard }, options) {
      guard.expectNetworkFailures()
      const made = await phone({ as: 'resident-green', ...options })
      await made.page.route('**/v1/codes', problem(403, 'suspended'))
      await made.page.goto(`${made.origin}/app/`)
      await expect(made.page.getByTestId('code-trouble')).toBeVisible()
      return made
    },
  },
  ...(['green', 'red'] as const).map((color) => resident(`why ${color}`, `resident-${color}`, '#/why', 'why')),
  resident('looks', 'resident-green', '#/looks', 'looks'),
  {
    name: 'resident looks empty',
    async open({ phone }, options) {
      const made = await phone({ as: 'elder', ...options })
      await made.page.route('**/v1/me/looks*', (route) => route.fulfill({ json: { items: [], next_cursor: null } }))
      await made.page.goto(`${made.origin}/app/#/looks`)
      await expect(made.page.getByTestId('looks')).toBeVisible()
      return made
    },
  },
  {
    name: 'resident looks failing',
    async open({ phone, guard }, options) {
      guard.expectNetworkFailures()
      guard.allow(/answer 503: GET .*looks/)
      const made = await phone({ as: 'elder', ...options })
      await made.page.route('**/v1/me/looks*', problem(503, 'database_unavailable'))
      await made.page.goto(`${made.origin}/app/#/looks`)
      await expect(made.page.getByRole('alert')).toBeVisible()
      return made
    },
  },
  resident('me', 'elder', '#/me', 'me'),
  {
    name: 'resident signing out',
    spoken: true,
    async open({ phone }, options) {
      const made = await phone({ as: 'elder', ...options })
      await made.page.goto(`${made.origin}/app/#/me`)
      await made.page.getByTestId('sign-out').click()
      await expect(made.page.getByRole('dialog')).toBeVisible()
      return made
    },
  },
  {
    name: 'resident signed out',
    async open({ phone }, options) {
      const made = await phone(options)
      await made.page.goto(`${made.origin}/app/`)
      await expect(made.page.getByTestId('signed-out')).toBeVisible()
      return made
    },
  },

  { name: 'verifier scanning', open: ({ phone }, options) => openScanner(phone, { camera: { torch: true, devices: ['rear', 'front'] }, ...options }) },
  {
    name: 'verifier finds nothing',
    async open({ phone }, options) {
      const made = await openScanner(phone, { clock: 'now', ...options })
      await made.page.clock.fastForward(6_000)
      await expect(made.page.getByTestId('scanner-hint')).toHaveAttribute('data-hint', /stuck|dark/)
      return made
    },
  },
  {
    name: 'verifier on a device whose clock is off',
    async open({ phone }, options) {
      const made = await openScanner(phone, { clock: new Date(Date.now() + 3_600_000), ...options })
      await expect(made.page.getByTestId('clock-note')).toBeVisible()
      return made
    },
  },
  {
    name: 'verifier typing',
    async open({ phone }, options) {
      const made = await openScanner(phone, options)
      await made.page.getByTestId('manual-open').click()
      await made.page.getByTestId('manual-input').fill('A0189')
      return made
    },
  },
  {
    name: 'verifier without a camera',
    async open({ phone }, options) {
      const made = await phone({ as: 'verifier', ...options, camera: null })
      await made.page.goto(`${made.origin}/verify/`)
      await expect(made.page.getByTestId('camera-error')).toHaveAttribute('data-kind', 'none')
      return made
    },
  },
  {
    name: 'verifier over plain HTTP',
    async open({ phone, city, guard }, options) {
      guard.allow(/Cross-Origin-Opener-Policy header has been ignored/)
      const made = await phone({ as: 'verifier', ...options, camera: null, origin: city.url.replace('127.0.0.1', 'insecure.test') })
      await made.page.goto(`${made.origin}/verify/`)
      await expect(made.page.getByTestId('camera-error')).toHaveAttribute('data-kind', 'insecure')
      return made
    },
  },
  ...(['green', 'yellow', 'red'] as const).map((color) => ({
    name: `result ${color}`,
    spoken: true,
    async open({ phone, city }: Bench, options: PhoneOptions) {
      const made = await openScanner(phone, { preferences: STAY, ...options })
      await wedge(made.page, (await city.mint(`resident-${color}`)).code.text)
      await expect(made.page.getByTestId('result')).toHaveAttribute('data-outcome', 'valid')
      return made
    },
  })),
  {
    name: 'result id-check',
    spoken: true,
    async open({ phone, city }, options) {
      const made = await openScanner(phone, { preferences: { ...STAY, scene: 'id-check' }, ...options })
      await wedge(made.page, (await city.mint('resident-green')).code.text)
      await expect(made.page.getByTestId('result-document')).toBeVisible()
      return made
    },
  },
  ...['expired', 'unknown_key', 'not_yet_valid', 'not_valid'].map((outcome) => altered(`result ${outcome}`, { outcome, admission: 'refuse' })),
  altered('result unconfirmed', { outcome: 'unconfirmed', admission: 'check', kind: 'live' }),
  altered('result unconfirmed, refused', { outcome: 'unconfirmed', admission: 'refuse', kind: 'live' }),
  ...([['web address', 'https://example.com/menu'], ['payment code', '134650912345678901'], ['too long', 'X'.repeat(600)], ['cut', 'ABCDEFG']] as const).map(([name, text]) => ({
    name: `result ${name}`,
    spoken: true,
    async open({ phone }: Bench, options: PhoneOptions) {
      const made = await openScanner(phone, options)
      await enter(made.page, text)
      return made
    },
  })),
  {
    name: 'result too old to admit',
    spoken: true,
    async open({ phone, city }, options) {
      const made = await openScanner(phone, { preferences: STAY, clock: 'now', ...options })
      await wedge(made.page, (await city.mint('resident-green')).code.text)
      await expect(made.page.getByTestId('result')).toBeVisible()
      await made.page.clock.fastForward(61_000)
      await expect(made.page.getByTestId('result')).toHaveAttribute('data-tone', 'old')
      return made
    },
  },
  {
    name: 'verifier cannot confirm',
    spoken: true,
    async open({ phone, city, guard }, options) {
      guard.expectNetworkFailures()
      const made = await openScanner(phone, options)
      const { text } = (await city.mint('resident-green')).code
      await made.context.setOffline(true)
      await wedge(made.page, text)
      await expect(made.page.getByTestId('cannot-confirm')).toBeVisible()
      return made
    },
  },
  {
    name: 'verifier gave up waiting',
    spoken: true,
    async open({ phone, city, guard }, options) {
      guard.expectNetworkFailures()
      const made = await openScanner(phone, { clock: 'now', ...options })
      const { text } = (await city.mint('resident-green')).code
      await made.context.setOffline(true)
      await wedge(made.page, text)
      await expect(made.page.getByTestId('cannot-confirm')).toBeVisible()
      await made.page.clock.fastForward(61_000)
      await expect(made.page.getByTestId('cannot-confirm')).toHaveAttribute('data-cause', 'tooOld')
      return made
    },
  },
  {
    name: 'verifier turned away',
    spoken: true,
    async open({ phone, guard }, options) {
      guard.expectNetworkFailures()
      const made = await openScanner(phone, options)
      await made.page.route('**/v1/verifications', problem(403, 'not_allowed'))
      await wedge(made.page, 'ABCDEFGH')
      await expect(made.page.getByTestId('turned-away')).toBeVisible()
      return made
    },
  },
  {
    name: 'records',
    async open({ phone }, options) {
      const made = await openScanner(phone, options)
      await enter(made.page, 'HTTPS://EXAMPLE.COM')
      await made.page.goto(`${made.origin}/verify/#/records`)
      await expect(made.page.getByTestId('records-list').getByRole('listitem').first()).toBeVisible()
      return made
    },
  },
  {
    name: 'records empty',
    async open({ phone }, options) {
      const made = await phone({ as: 'verifier', ...options })
      await made.page.route(/\/v1\/verifications(\/counts)?\?/, (route) => route.fulfill({
        json: route.request().url().includes('counts') ? { total: 0, by_outcome: {}, by_admission: {}, by_color: {} } : { items: [], next_cursor: null },
      }))
      await made.page.goto(`${made.origin}/verify/#/records`)
      await expect(made.page.getByTestId('records-list')).toBeVisible()
      return made
    },
  },
  {
    name: 'record',
    async open({ phone }, options) {
      const made = await openScanner(phone, options)
      const { id } = await enter(made.page, 'HTTPS://EXAMPLE.COM')
      await made.page.goto(`${made.origin}/verify/#/records/${id}`)
      await expect(made.page.getByTestId('record').locator('dl')).toBeVisible()
      return made
    },
  },
  {
    name: 'settings',
    async open({ phone }, options) {
      const made = await phone({ as: 'verifier', ...options })
      await made.page.goto(`${made.origin}/verify/#/settings`)
      await expect(made.page.getByTestId('settings')).toBeVisible()
      return made
    },
  },
  {
    name: 'verifier signed out',
    async open({ phone }, options) {
      const made = await phone(options)
      await made.page.goto(`${made.origin}/verify/`)
      await expect(made.page.getByTestId('signed-out').getByRole('button').first()).toBeVisible()
      return made
    },
  },
  {
    name: 'not a verifier',
    async open({ phone }, options) {
      const made = await phone({ as: 'resident-green', app: 'verifier', ...options })
      await made.page.goto(`${made.origin}/verify/`)
      await expect(made.page.getByTestId('not-a-verifier')).toBeVisible()
      return made
    },
  },
]

function resident(name: string, as: string, address: string, testId: string): State {
  return {
    name: `resident ${name}`,
    async open({ phone }, options) {
      const made = await phone({ as, ...options })
      await made.page.goto(`${made.origin}/app/${address}`)
      await expect(made.page.getByTestId(testId)).toBeVisible()
      return made
    },
  }
}

/** An answer that takes a minute or a fault to come about: the server's own, with these fields instead. */
function altered(name: string, fields: Record<string, unknown>): State {
  return {
    name,
    spoken: true,
    async open({ phone }, options) {
      const made = await openScanner(phone, { preferences: STAY, ...options })
      await made.page.route('**/v1/verifications', async (route) => {
        const answer = await route.fetch()
        await route.fulfill({ response: answer, json: { ...((await answer.json()) as object), ...fields } })
      })
      await wedge(made.page, 'A'.repeat(61))
      await expect(made.page.getByTestId('result')).toHaveAttribute('data-outcome', String(fields['outcome']))
      return made
    },
  }
}

export function problem(status: number, code: string): (route: Route) => Promise<void> {
  return (route) => route.fulfill({
    status, contentType: 'application/problem+json', body: JSON.stringify({ status, code, title: code, request_id: '0123456789abcdef' }),
  })
}
