import { describe, expect, test } from 'vitest'
import { OUTCOMES, present } from '../result/presentation.ts'
import type { Looks } from '@/shared/scan/classify.ts'
import { en } from './en.ts'
import { zh } from './zh-CN.ts'

const LOOKS: readonly Looks[] = ['city', 'cut', 'place', 'url', 'payment', 'document', 'app', 'empty', 'oversize', 'binary', 'other']

function sentences(of: unknown, path = ''): [string, string][] {
  if (typeof of === 'string') return [[path, of]]
  if (Array.isArray(of)) return of.flatMap((one, index) => sentences(one, `${path}.${index}`))
  return Object.entries(of as object).flatMap(([key, value]) => sentences(value, `${path}.${key}`))
}

const names = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '').sort()

describe.each([['zh-CN', zh], ['en', en]] as const)('in %s', (_language, text) => {
  test('every outcome of the server has a reason, and those not admitted say what to do', () => {
    for (const outcome of OUTCOMES) {
      for (const admission of ['admit', 'check', 'refuse']) {
        for (const looks of LOOKS) {
          const { tone, about } = present({ outcome, admission }, looks)
          const words = text.result.about[about]
          expect(text.result.word[tone], tone).not.toBe('')
          expect(words.why, about).not.toBe('')
          if (tone !== 'admit') expect(words.ask, about).not.toBe('')
          if (tone === 'invalid') expect(words.title, about).not.toBe('')
          expect(text.records.short[outcome], outcome).not.toBe('')
        }
      }
    }
  })

  test('no sentence has a sign that the text format gives a meaning', () => {
    for (const [path, sentence] of sentences(text)) expect(sentence, path).not.toMatch(/[|@]/)
  })
})

test('both languages fill in the same things', () => {
  const english = new Map(sentences(en))
  for (const [path, sentence] of sentences(zh)) expect(names(english.get(path) ?? ''), path).toEqual(names(sentence))
})

test('the Chinese text has no codes and no English but HTTPS and the letters of a city code', () => {
  for (const [path, sentence] of sentences(zh)) {
    const rest = sentence.replace(/\{\w+\}/g, '').replace(/https:\/\//g, '').replace('A–Z', '')
    expect(rest, path).not.toMatch(/[A-Za-z]/)
  }
})
