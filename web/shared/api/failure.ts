import type { Problem } from './types.ts'

/**
 * Why a call gave no answer, by what a person can do about it:
 * offline = no way to the server; slow = no answer in time; aborted = the page gave up itself;
 * signed_out = nobody is signed in any more; refused = the server says no;
 * busy = too many calls, later; broken = the server can't now.
 */
export type Reason = 'offline' | 'slow' | 'aborted' | 'signed_out' | 'refused' | 'busy' | 'broken'

export class Failure extends Error {
  override readonly name = 'Failure'
  readonly reason: Reason
  /** HTTP status; 0 without an answer. */
  readonly status: number
  /** The server's stable code, '' without one. */
  readonly code: string
  readonly problem: Problem
  /** How long the server asks to wait, in ms; 0 if it doesn't say. */
  readonly retryAfterMs: number

  constructor(reason: Reason, status = 0, problem: Problem = {}, retryAfterMs = 0) {
    super(problem.code ? `${reason}: ${problem.code}` : reason)
    this.reason = reason
    this.status = status
    this.code = problem.code ?? ''
    this.problem = problem
    this.retryAfterMs = retryAfterMs
  }

  /** The server's own sentence about a refusal, in the language asked for; '' where the page's own words serve better. */
  get sentence(): string {
    return this.reason === 'refused' ? (this.problem.title ?? '') : ''
  }

  /** Whether the same call may succeed later without anybody changing it. */
  get passing(): boolean {
    return this.reason === 'offline' || this.reason === 'slow' || this.reason === 'busy' || this.reason === 'broken'
  }
}

export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure('broken', 0, { detail: String(error) })
}

/** Reads an answer of 400 and above. */
export async function failureOf(response: Response): Promise<Failure> {
  let problem: Problem = {}
  try {
    const body: unknown = await response.json()
    if (body && typeof body === 'object') problem = body as Problem
  } catch {
    // A proxy's HTML page: the status says enough.
  }
  const seconds = Number(response.headers.get('Retry-After') ?? '')
  const wait = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0
  const { status } = response
  if (status === 401) return new Failure('signed_out', status, problem)
  if (status === 429) return new Failure('busy', status, problem, wait || 1000)
  if (status >= 500) return new Failure('broken', status, problem, wait)
  return new Failure('refused', status, problem)
}
