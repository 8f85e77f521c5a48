import { createI18n } from 'vue-i18n'
import { watch } from 'vue'
import type { Language, Settings } from '../settings/settings.ts'
import { en } from './en.ts'
import { zh } from './zh-CN.ts'

/** One app's own words: the English typed against the Chinese. */
export interface AppText<T extends object> {
  zh: T
  en: NoInfer<T>
}

/** Shared and own words under one vue-i18n, following the chosen language. */
export function createText<T extends object>(own: AppText<T>, settings: Settings) {
  const i18n = createI18n({
    legacy: false,
    locale: settings.language as Language,
    fallbackLocale: 'zh-CN',
    messages: { 'zh-CN': { ...zh, ...own.zh }, en: { ...en, ...own.en } },
    missingWarn: import.meta.env.DEV,
    fallbackWarn: import.meta.env.DEV,
  })
  watch(() => settings.language, (language) => {
    i18n.global.locale.value = language
  }, { flush: 'sync' })
  return i18n
}
