import { reactive, watch } from 'vue'

export const languages = ['zh-CN', 'en'] as const
export type Language = (typeof languages)[number]
export const typeSizes = ['normal', 'large'] as const
export type TypeSize = (typeof typeSizes)[number]

export interface Settings {
  language: Language
  /** large is the elder edition: body 20 px, every step by a quarter more. */
  typeSize: TypeSize
}

const LANGUAGE_KEY = 'citycode.language'
const TYPE_SIZE_KEY = 'citycode.type_size'

/** The browser's wish where nothing was chosen: English for those who ask for it, else Chinese. */
export function preferredLanguage(wished: readonly string[]): Language {
  for (const tag of wished) {
    if (/^zh\b/i.test(tag)) return 'zh-CN'
    if (/^en\b/i.test(tag)) return 'en'
  }
  return 'zh-CN'
}

/** Language and type size, the same in every app on this device, remembered. */
export function createSettings(): Settings {
  const settings = reactive<Settings>({
    language: oneOf(languages, read(LANGUAGE_KEY)) ?? preferredLanguage(navigator.languages ?? [navigator.language]),
    typeSize: oneOf(typeSizes, read(TYPE_SIZE_KEY)) ?? 'normal',
  })
  watch(() => settings.language, (language) => write(LANGUAGE_KEY, language))
  watch(() => settings.typeSize, (size) => write(TYPE_SIZE_KEY, size))
  watch(settings, ({ language, typeSize }) => {
    document.documentElement.lang = language
    document.documentElement.dataset.typeSize = typeSize
  }, { immediate: true, flush: 'sync' })
  window.addEventListener('storage', (event) => {
    if (event.key === LANGUAGE_KEY) settings.language = oneOf(languages, event.newValue) ?? settings.language
    if (event.key === TYPE_SIZE_KEY) settings.typeSize = oneOf(typeSizes, event.newValue) ?? settings.typeSize
  })
  return settings
}

function oneOf<T extends string>(choices: readonly T[], value: string | null): T | null {
  return choices.find((choice) => choice === value) ?? null
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Not remembered, but in force until the page closes.
  }
}
