import { expect, it } from 'vitest'
import { preferredLanguage } from './settings.ts'

it.each([
  [['zh-CN', 'en'], 'zh-CN'],
  [['zh-Hant-HK'], 'zh-CN'],
  [['en-GB', 'zh-CN'], 'en'],
  [['fr-FR', 'en-US'], 'en'],
  [['de-DE'], 'zh-CN'],
  [[], 'zh-CN'],
])('for a browser asking for %j the language is %s', (wished, language) => {
  expect(preferredLanguage(wished)).toBe(language)
})
