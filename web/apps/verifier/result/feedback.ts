import type { Tone } from './presentation.ts'

interface Note {
  /** Hz. */
  pitch: number
  /** Seconds from the start, and how long. */
  at: number
  lasts: number
  shape: OscillatorType
}

/** Told apart without looking, also by people who hear little of the high tones. */
export const SOUNDS: Record<Tone, readonly Note[]> = {
  // Up: two short bright notes.
  admit: [
    { pitch: 784, at: 0, lasts: 0.09, shape: 'sine' },
    { pitch: 1175, at: 0.1, lasts: 0.16, shape: 'sine' },
  ],
  // Level: the same note three times.
  check: [
    { pitch: 659, at: 0, lasts: 0.11, shape: 'triangle' },
    { pitch: 659, at: 0.18, lasts: 0.11, shape: 'triangle' },
    { pitch: 659, at: 0.36, lasts: 0.11, shape: 'triangle' },
  ],
  // Low and long, rough.
  refuse: [
    { pitch: 196, at: 0, lasts: 0.28, shape: 'square' },
    { pitch: 147, at: 0.32, lasts: 0.42, shape: 'square' },
  ],
  // Down: two soft notes.
  invalid: [
    { pitch: 523, at: 0, lasts: 0.14, shape: 'triangle' },
    { pitch: 349, at: 0.16, lasts: 0.24, shape: 'triangle' },
  ],
  // To and fro.
  unsure: [
    { pitch: 440, at: 0, lasts: 0.12, shape: 'sine' },
    { pitch: 554, at: 0.14, lasts: 0.12, shape: 'sine' },
    { pitch: 440, at: 0.28, lasts: 0.12, shape: 'sine' },
    { pitch: 554, at: 0.42, lasts: 0.18, shape: 'sine' },
  ],
}

/** Ms on, off, on, … */
export const VIBRATIONS: Record<Tone, readonly number[]> = {
  admit: [60],
  check: [90, 70, 90],
  refuse: [500],
  invalid: [40, 50, 40, 50, 40],
  unsure: [160, 90, 40, 90, 160],
}

const LOUD: Record<OscillatorType, number> = { sine: 0.5, triangle: 0.5, square: 0.16, sawtooth: 0.16, custom: 0.3 }

let context: AudioContext | null = null

/**
 * Browsers let a page sound only after a touch or a key; call this on each. One context serves the
 * whole session: browsers allow a handful.
 */
export function unlockSound(): void {
  if (typeof AudioContext !== 'function') return
  context ??= new AudioContext()
  if (context.state !== 'running') void context.resume().catch(() => undefined)
}

export function sound(tone: Tone): void {
  if (context?.state !== 'running') return
  const start = context.currentTime + 0.01
  for (const note of SOUNDS[tone]) {
    const oscillator = context.createOscillator()
    const gain = context.createGain()
    oscillator.type = note.shape
    oscillator.frequency.value = note.pitch
    // A short rise and fall: a note cut hard clicks.
    const from = start + note.at
    gain.gain.setValueAtTime(0, from)
    gain.gain.linearRampToValueAtTime(LOUD[note.shape], from + 0.012)
    gain.gain.setValueAtTime(LOUD[note.shape], from + note.lasts - 0.03)
    gain.gain.linearRampToValueAtTime(0, from + note.lasts)
    oscillator.connect(gain).connect(context.destination)
    oscillator.onended = () => gain.disconnect()
    oscillator.start(from)
    oscillator.stop(from + note.lasts)
  }
}

export function vibrate(tone: Tone): void {
  // Safari has no vibration at all.
  if (typeof (navigator as Partial<Navigator>).vibrate !== 'function') return
  navigator.vibrate([...VIBRATIONS[tone]])
}
