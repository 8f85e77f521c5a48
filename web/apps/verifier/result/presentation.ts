import type { Failure } from '@/shared/api/failure.ts'
import type { Admission, Outcome, Verification } from '@/shared/api/types.ts'
import type { Looks } from '@/shared/scan/classify.ts'

/**
 * How a result looks, sounds and feels. Each has its own colour, shape, word, tone and vibration:
 * admit: green, tick in a circle; check: yellow, exclamation in a triangle; refuse: red, bar in an
 * octagon; invalid: grey, dash in a square; unsure: dark stripes, question mark in a diamond.
 */
export type Tone = 'admit' | 'check' | 'refuse' | 'invalid' | 'unsure'

/** Outcomes that have words of their own. Any other, from a newer server, reads as not valid. */
export const OUTCOMES = [
  'valid', 'unconfirmed', 'malformed', 'unknown_key', 'forged', 'not_yet_valid', 'expired', 'lapsed', 'replaced', 'withdrawn',
  'reported_lost', 'relation_ended', 'holder_suspended', 'not_for_scene', 'already_used', 'not_valid',
] as const satisfies readonly Outcome[]

/** Names of the sentences for one result, in the messages under `result.about`. */
export type About =
  | 'admit' | 'admit_photo' | 'check' | 'refuse' | 'unconfirmed_check' | 'unconfirmed_refuse'
  | Exclude<Outcome, 'valid' | 'unconfirmed' | 'malformed'>
  | `malformed_${Looks}`

export interface Presentation {
  tone: Tone
  about: About
}

export interface Judged {
  outcome: string
  admission: string
  status?: Verification['status']
  subject?: Verification['subject']
}

/**
 * Only a valid code that the server admits is ever green; whatever this page doesn't understand is
 * not valid.
 */
export function present(judged: Judged, looks: Looks): Presentation {
  switch (judged.outcome) {
    case 'valid':
      return valid(judged)
    case 'unconfirmed':
      return judged.admission === 'refuse' ? { tone: 'unsure', about: 'unconfirmed_refuse' } : { tone: 'check', about: 'unconfirmed_check' }
    case 'malformed':
      return { tone: 'invalid', about: `malformed_${looks}` }
    default:
      return { tone: 'invalid', about: isKnown(judged.outcome) ? judged.outcome : 'not_valid' }
  }
}

function valid(judged: Judged): Presentation {
  switch (judged.admission as Admission) {
    case 'admit':
      return { tone: 'admit', about: judged.subject?.photo_url ? 'admit_photo' : 'admit' }
    case 'check':
      return { tone: 'check', about: 'check' }
    case 'refuse':
      return { tone: 'refuse', about: 'refuse' }
    default:
      return { tone: 'invalid', about: 'not_valid' }
  }
}

function isKnown(outcome: string): outcome is Exclude<Outcome, 'valid' | 'unconfirmed' | 'malformed'> {
  return (OUTCOMES as readonly string[]).includes(outcome)
}

/**
 * How long an admitted result stays before scanning goes on by itself; null when it stays until
 * somebody taps. Anything but an admission must be read, and where no colour decides, a photo or a
 * document must be compared.
 */
export function returnAfter(judged: Judged, settingMs: number): number | null {
  if (settingMs <= 0) return null
  const admitted = judged.outcome === 'valid' && judged.admission === 'admit'
  return admitted && judged.status && !judged.subject?.photo_url ? settingMs : null
}

/** Why the server verifies nothing for this person or scene: names of the messages under `away`. */
export function turnedAway(failure: Failure): 'step' | '403' | '422' | 'other' {
  if (failure.code === 'step_up_needed') return 'step'
  if (failure.status === 403) return '403'
  return failure.code === 'unknown_scene' ? '422' : 'other'
}
