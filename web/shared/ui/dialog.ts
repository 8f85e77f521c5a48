import { reactive, readonly } from 'vue'

export interface Question {
  title: string
  text?: string
  yes: string
  /** Names what is lost: the button turns red. */
  danger?: boolean
}

interface Asked extends Question {
  answer: (yes: boolean) => void
}

const state = reactive<{ question: Asked | null; toasts: { id: number; text: string }[] }>({ question: null, toasts: [] })

export const shown = readonly(state)

/** Asks before an act that can't be undone; true for yes. A question already open is answered no. */
export function confirm(question: Question): Promise<boolean> {
  state.question?.answer(false)
  return new Promise((resolve) => {
    state.question = {
      ...question,
      answer: (yes) => {
        state.question = null
        resolve(yes)
      },
    }
  })
}

let last = 0

/** A short word at the lower edge, read politely by screen readers, gone after 4 s. */
export function toast(text: string): void {
  const id = ++last
  state.toasts.push({ id, text })
  setTimeout(() => {
    state.toasts = state.toasts.filter((entry) => entry.id !== id)
  }, 4_000)
}
