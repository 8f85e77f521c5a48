import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { listenForWedge, Wedge, type Keystroke, type WedgeStep } from './wedge.ts'

const CODE = 'CABQAAAS2AV5TQXH2LDEZ3YJ7OMKPW4FUNRB6GIXCVTA2Q3W5Y7S4KZH6DJNE'

function stroke(key: string, at: number, more: Partial<Keystroke> = {}): Keystroke {
  return { key, code: '', shift: false, modified: false, at, ...more }
}

/** Types each character `gap` ms after the last, then the ending key. */
function type(wedge: Wedge, text: string, gap: number, end = 'Enter'): WedgeStep {
  let at = 1000
  for (const key of text) wedge.feed(stroke(key, (at += gap)))
  return wedge.feed(stroke(end, at + gap))
}

describe('a hand scanner is told from a person typing', () => {
  test.each([
    ['a USB scanner at 4 ms a key', 4, 'Enter'],
    ['a Bluetooth scanner at 35 ms a key', 35, 'Enter'],
    ['a scanner that ends with Tab', 8, 'Tab'],
  ])('%s is heard', (_what, gap, end) => {
    expect(type(new Wedge(), CODE, gap, end)).toEqual({ kind: 'text', text: CODE })
  })

  test.each([
    ['a quick typist at 90 ms a key', 90],
    ['a slow typist', 300],
  ])('%s is not', (_what, gap) => {
    expect(type(new Wedge(), 'HELLOHELLO', gap)).toEqual({ kind: 'person' })
  })

  test('Enter alone, or after two quick keys, stays with the page', () => {
    expect(type(new Wedge(), '', 5).kind).toBe('person')
    expect(type(new Wedge(), 'AB', 5).kind).toBe('person')
  })

  test('one late Bluetooth packet does not cut a code in two', () => {
    const wedge = new Wedge()
    let at = 0
    for (const [index, key] of [...CODE].entries()) wedge.feed(stroke(key, (at += index === 30 ? 140 : 10)))
    expect(wedge.feed(stroke('Enter', at + 10))).toEqual({ kind: 'text', text: CODE })
  })

  test('a key pressed long before a scan is no part of it', () => {
    const wedge = new Wedge()
    wedge.feed(stroke('x', 0))
    expect(type(wedge, CODE, 5)).toEqual({ kind: 'text', text: CODE })
  })

  test('two scans in a row are two texts', () => {
    const wedge = new Wedge()
    expect(type(wedge, 'FIRST', 5)).toEqual({ kind: 'text', text: 'FIRST' })
    expect(type(wedge, 'SECOND', 5)).toEqual({ kind: 'text', text: 'SECOND' })
  })

  test('shift between the keys is not typed, a shortcut breaks the burst off', () => {
    const wedge = new Wedge()
    const keys = ['h', 'Shift', 'A', ':', '/']
    keys.forEach((key, index) => wedge.feed(stroke(key, index * 5)))
    expect(wedge.feed(stroke('Enter', 30))).toEqual({ kind: 'text', text: 'hA:/' })
    keys.forEach((key, index) => wedge.feed(stroke(key, 100 + index * 5)))
    wedge.feed(stroke('v', 126, { modified: true }))
    expect(wedge.feed(stroke('Enter', 130)).kind).toBe('person')
  })

  test('with a Chinese input method on, the physical keys are read', () => {
    const wedge = new Wedge()
    const codes = ['KeyC', 'KeyA', 'Digit2', 'Numpad7', 'KeyZ']
    codes.forEach((code, index) => wedge.feed(stroke('Process', index * 6, { code })))
    expect(wedge.feed(stroke('Process', 36, { code: 'Enter' }))).toEqual({ kind: 'text', text: 'CA27Z' })
  })

  test('a scanner stuck on one key fills no memory', () => {
    const step = type(new Wedge(), 'A'.repeat(100_000), 1)
    expect(step.kind === 'text' && step.text.length).toBe(600)
  })
})

describe('on the page', () => {
  let stop: () => void = () => undefined
  let found: string[] = []
  beforeEach(() => {
    found = []
    stop = listenForWedge((text) => found.push(text))
  })
  afterEach(() => {
    stop()
    document.body.replaceChildren()
  })

  function press(target: EventTarget, text: string): KeyboardEvent[] {
    return [...text, 'Enter'].map((key) => {
      const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true })
      target.dispatchEvent(event)
      return event
    })
  }

  test('a scan is heard whatever has the focus, and does not press the focused button', () => {
    const button = document.body.appendChild(document.createElement('button'))
    const events = press(button, 'CAB QAAA')
    expect(found).toEqual(['CAB QAAA'])
    expect(events.at(-1)?.defaultPrevented).toBe(true)
    expect(events[3]?.defaultPrevented, 'the space').toBe(true)
  })

  test('a text field keeps its keys', () => {
    const input = document.body.appendChild(document.createElement('input'))
    const events = press(input, 'CABQAAAA')
    expect(found).toEqual([])
    expect(events.some((event) => event.defaultPrevented)).toBe(false)
  })

  test('nothing is heard after it stopped', () => {
    stop()
    press(document.body, 'CABQAAAA')
    expect(found).toEqual([])
  })
})
