/**
 * Hand scanners that act as a keyboard ("keyboard wedge") type a code in a burst and end it with
 * Enter or Tab. This tells such a burst from a person typing by its speed alone, so that a scan
 * works wherever the focus is.
 */
export interface Keystroke {
  key: string
  /** The physical key, used when an input method hides what was typed. */
  code: string
  shift: boolean
  /** With Ctrl, Alt or Meta held: a shortcut, never part of a code. */
  modified: boolean
  /** When the key went down, in ms on any steady clock (`KeyboardEvent.timeStamp`). */
  at: number
}

/**
 * `person`: leave the key alone. `burst`: a scanner is typing, keep the key from doing anything
 * else. A text: the burst ended, this was scanned.
 */
export type WedgeStep = { kind: 'person' } | { kind: 'burst' } | { kind: 'text'; text: string }

/** Scanners pause up to this long between two keys (Bluetooth packets); people mostly longer. */
const MAX_GAP_MS = 150
/** Mean pace of a burst. Nobody types four keys at 50 ms each: that is 240 words a minute. */
const MAX_MEAN_MS = 50
const MIN_LENGTH = 4
/** Kept of a burst: enough to see that it is too long for a code, and no more. */
const MAX_KEPT = 600

const PERSON: WedgeStep = { kind: 'person' }
const BURST: WedgeStep = { kind: 'burst' }

export class Wedge {
  private text = ''
  private count = 0
  private firstAt = 0
  private lastAt = 0

  feed(stroke: Keystroke): WedgeStep {
    if (stroke.modified) {
      this.reset()
      return PERSON
    }
    const key = typedKey(stroke)
    if (this.count > 0 && stroke.at - this.lastAt > MAX_GAP_MS) this.reset()
    if (key === 'Enter' || key === 'Tab') {
      const scanned = this.count >= MIN_LENGTH && this.isFast() ? this.text : null
      this.reset()
      return scanned === null ? PERSON : { kind: 'text', text: scanned }
    }
    if ([...key].length !== 1) return PERSON // Shift, arrows: neither part of a code nor its end
    if (this.count === 0) this.firstAt = stroke.at
    this.lastAt = stroke.at
    this.count++
    if (this.text.length < MAX_KEPT) this.text += key
    return this.count >= 2 && this.isFast() ? BURST : PERSON
  }

  reset(): void {
    this.text = ''
    this.count = 0
  }

  private isFast(): boolean {
    return this.count >= 2 && (this.lastAt - this.firstAt) / (this.count - 1) <= MAX_MEAN_MS
  }
}

/** What was typed, read from the physical key while an input method holds the keyboard. */
function typedKey(stroke: Keystroke): string {
  if (stroke.key !== 'Process' && stroke.key !== 'Unidentified') return stroke.key
  const letterOrDigit = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(stroke.code)
  if (letterOrDigit?.[1] !== undefined) return letterOrDigit[1]
  switch (stroke.code) {
    case 'Enter':
    case 'NumpadEnter':
      return 'Enter'
    case 'Tab':
      return 'Tab'
    case 'Minus':
      return '-'
    case 'Period':
      return '.'
    case 'Slash':
      return '/'
    case 'Semicolon':
      return stroke.shift ? ':' : ';'
    default:
      return stroke.key
  }
}

/**
 * Listens on the whole page until the returned function is called. Fields that take text get their
 * keys as usual: there a scan fills the field and its Enter submits the form.
 */
export function listenForWedge(found: (text: string) => void, target: Window = window): () => void {
  const wedge = new Wedge()
  const onKey = (event: KeyboardEvent): void => {
    if (takesText(event.target)) {
      wedge.reset()
      return
    }
    const step = wedge.feed({
      key: event.key,
      code: event.code,
      shift: event.shiftKey,
      modified: event.ctrlKey || event.altKey || event.metaKey,
      at: event.timeStamp,
    })
    if (step.kind === 'person') return
    // Otherwise a space in the text would press the focused button, and Enter would too.
    event.preventDefault()
    event.stopPropagation()
    if (step.kind === 'text') found(step.text)
  }
  target.addEventListener('keydown', onKey, { capture: true })
  return () => target.removeEventListener('keydown', onKey, { capture: true })
}

function takesText(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true
  return target instanceof HTMLInputElement && !['button', 'checkbox', 'radio', 'range', 'submit', 'reset'].includes(target.type)
}
