import type { Client } from '@/shared/api/client.ts'
import type { Session } from '@/shared/session/session.ts'

/** Ends the session on the server if it can be reached, and here in any case. */
export async function signOut(api: Client, session: Session): Promise<void> {
  try {
    await api.delete('/v1/sessions/current', { timeoutMs: 3_000 })
  } catch {
    // The token runs out by itself within minutes.
  }
  session.end()
}
