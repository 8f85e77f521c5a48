import { createApp, inject, reactive, watch, watchEffect, type App, type Component, type InjectionKey } from 'vue'
import { useI18n } from 'vue-i18n'
import { Client } from './api/client.ts'
import type { City } from './api/types.ts'
import { createText, type AppText } from './i18n/index.ts'
import { Network } from './network/network.ts'
import { Session, type AppName } from './session/session.ts'
import { createSettings, type Settings } from './settings/settings.ts'
import { backoff } from './time/backoff.ts'
import { DEFAULT_ZONE, dayName, nearness, shortTime } from './time/format.ts'
import { ServerClock } from './time/server-clock.ts'
import './ui/base.css'

/** What every page of an app stands on. */
export interface Base {
  api: Client
  /** Null on pages that nobody signs in to. */
  session: Session | null
  clock: ServerClock
  network: Network
  settings: Settings
  city: CityState
}

/** The city as far as it is known: null until /v1/city has answered. */
export interface CityState {
  known: City | null
  readonly zone: string
  readonly demo: boolean
}

const baseKey: InjectionKey<Base> = Symbol('base')

export interface AppConfig<T extends object> {
  /** Whose session; the home page signs nobody in for itself and names none. */
  session: AppName | null
  root: Component
  text: AppText<T>
  /** The name of the page in the browser's tab; asked again whenever what it read has changed. */
  title: (t: (key: string) => string, city: City | null) => string
  plugins?: Parameters<App['use']>[0][]
}

/** Builds one app and puts it on its page. */
export function startApp<T extends object>(config: AppConfig<T>): Base {
  const settings = createSettings()
  const clock = new ServerClock()
  const network = new Network(clock)
  const session = config.session ? new Session(config.session) : null
  const api = new Client({ session, clock, network, language: () => settings.language })
  const city = reactive<CityState>({
    known: null,
    get zone() {
      return this.known?.zone ?? DEFAULT_ZONE
    },
    get demo() {
      return this.known?.demo ?? false
    },
  })
  const base: Base = { api, session, clock, network, settings, city }
  const i18n = createText(config.text, settings)

  void learnCity(api, city)
  // The city's name comes in the language asked for.
  watch(() => settings.language, () => void learnCity(api, city))
  watchEffect(() => {
    document.title = config.title((key) => i18n.global.t(key), city.known)
  })

  const app = createApp(config.root)
  app.provide(baseKey, base)
  app.use(i18n)
  for (const plugin of config.plugins ?? []) app.use(plugin)
  app.mount('#app')
  return base
}

/** The base of the app that this component belongs to. */
export function useBase(): Base {
  const base = inject(baseKey)
  if (!base) throw new Error('no base: the app was not started by startApp')
  return base
}

/** The session of an app that people sign in to. */
export function useSession(): Session {
  const { session } = useBase()
  if (!session) throw new Error('this page has no session')
  return session
}

/** "今天 08:12" in the city's zone: dates as people say them. */
export function useWhen(): (at: string | number) => string {
  const { t } = useI18n()
  const { clock, city, settings } = useBase()
  return (at) => {
    const ms = typeof at === 'number' ? at : Date.parse(at)
    const now = clock.now()
    const time = shortTime(ms, city.zone)
    return t('when.' + nearness(ms, now, city.zone), { time, day: dayName(ms, now, settings.language, city.zone) })
  }
}

let asked = 0

/** Asks until it is answered: the banner and the zone hang on it. */
async function learnCity(api: Client, city: CityState): Promise<void> {
  const mine = ++asked
  for (let failures = 1; mine === asked; failures++) {
    try {
      const answer = await api.get<City>('/v1/city', { anonymous: true })
      if (mine === asked) city.known = answer
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, backoff(failures)))
    }
  }
}
