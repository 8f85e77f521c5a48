import { test as base, expect, type Browser, type BrowserContext, type Page } from '@playwright/test'
import { Camera, type CameraOptions } from './camera.ts'
import { City, type CityOptions } from './city.ts'
import { Guard } from './guard.ts'

export { expect }

export interface PhoneOptions {
  /** Who is signed in; nobody by default. */
  as?: string
  /** To which app; default the persona's own. */
  app?: 'resident' | 'verifier'
  language?: 'zh-CN' | 'en'
  size?: 'normal' | 'large'
  width?: number
  height?: number
  /** Device pixels a CSS pixel; default 2 on phones. */
  scale?: number
  /** Default a camera with nothing before it; null leaves Chromium as it is, without any. */
  camera?: CameraOptions | null
  /** What the verifier chose on this device. */
  preferences?: Record<string, unknown>
  /** Default the city that all tests share. */
  city?: City
  /** Default the browser that all tests share. */
  browser?: Browser
  /** The page's clock is the test's to move (page.clock); starts now, or at this time. */
  clock?: 'now' | Date
  /** Default http://127.0.0.1:PORT. */
  origin?: string
}

/** One device with one page, watched by the guard. */
export interface Phone {
  page: Page
  context: BrowserContext
  camera: Camera
  /** Where the pages are: http://127.0.0.1:PORT */
  origin: string
}

interface TestFixtures {
  guard: Guard
  /** Another device; closed when the test ends. */
  phone: (options?: PhoneOptions) => Promise<Phone>
  /** A city of the test's own, for what would disturb the others. */
  ownCity: (options?: CityOptions) => Promise<City>
}

interface WorkerFixtures {
  /** A demo that the tests of one worker share. */
  city: City
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  city: [async ({}, use) => {
    const city = await City.start()
    await use(city)
    await city.stop()
  }, { scope: 'worker', timeout: 150_000 }],

  guard: [async ({ city }, use) => {
    const guard = new Guard()
    const before = city.log.length
    await use(guard)
    expect(guard.findings, 'what no page may do').toEqual([])
    const log = city.log.slice(before)
    expect(log.split('\n').filter((line) => /level=ERROR|panic/.test(line)), 'errors in the log of the server').toEqual([])
    const personal = (await city.personas()).flatMap((person) => [person.name, person.document_number])
    expect(personal.filter((text) => log.includes(text)), 'personal data in the log of the server').toEqual([])
  }, { auto: true }],

  ownCity: async ({}, use) => {
    const cities: City[] = []
    await use(async (options) => {
      const city = await City.start(options)
      cities.push(city)
      return city
    })
    for (const city of cities.reverse()) await city.kill()
  },

  phone: async ({ browser, city: shared, guard }, use) => {
    const contexts: BrowserContext[] = []
    await use(async (options = {}) => {
      const { language = 'zh-CN', size = 'normal', width = 414, height = 896, city = shared, camera = {} } = options
      const origin = options.origin ?? city.url
      const context = await (options.browser ?? browser).newContext({
        viewport: { width, height }, deviceScaleFactor: options.scale ?? (width < 800 ? 2 : 1), isMobile: width < 800, hasTouch: width < 1000,
        locale: language === 'en' ? 'en-GB' : 'zh-CN',
        // Not the city's zone: pages must show the city's time wherever the phone thinks it is.
        timezoneId: 'Europe/London',
        storageState: { cookies: [], origins: [{ origin, localStorage: await kept(city, options, size) }] },
      })
      contexts.push(context)
      await guard.watch(context, () => [origin, city.url])
      if (camera !== null) await Camera.giveTo(context, camera)
      if (options.clock !== undefined) await context.clock.install(options.clock === 'now' ? {} : { time: options.clock })
      const page = await context.newPage()
      return { page, context, camera: Camera.of(page), origin }
    })
    for (const context of contexts) await context.close()
  },
})

/** What the device has kept from earlier: who is signed in, type size, the verifier's choices. */
async function kept(city: City, options: PhoneOptions, size: string): Promise<{ name: string; value: string }[]> {
  const storage: { name: string; value: string }[] = []
  if (options.as !== undefined) {
    const answer = await city.signIn(options.as)
    const app = options.app ?? (options.as === 'verifier' ? 'verifier' : 'resident')
    storage.push({
      name: `citycode.${app}.session`,
      value: JSON.stringify({
        access_token: answer.access_token, refresh_token: answer.refresh_token,
        expires_at: Date.now() + answer.expires_in * 1000, person: answer.person.id,
      }),
    })
  }
  if (size !== 'normal') storage.push({ name: 'citycode.type_size', value: size })
  if (options.preferences) storage.push({ name: 'citycode.verifier.preferences', value: JSON.stringify(options.preferences) })
  return storage
}
