import type { HomeText } from './zh-CN.ts'

export const en: HomeText = {
  home: {
    name: 'City code',
    named: '{city} code',
    lead: 'One code a person, one scan to know',
    text: 'Residents show a code. Verifiers scan it and see no more than the task needs.',
    points: {
      live: { title: 'A new code each minute', text: 'A code lasts one minute. An old screenshot or photo doesn’t pass.' },
      least: { title: 'Least data that serves', text: 'Names and numbers stay hidden unless the occasion needs them.' },
      record: { title: 'You see who looked', text: 'Every scan is recorded. Tampering shows, and the record is yours to read.' },
    },
    demo: {
      title: 'Pick a person and try it',
      text: 'This is a demonstration: people and data are invented. For the whole story, show a code on one phone and scan it with another.',
      resident: 'Show a code',
      verifier: 'Scan codes',
      go: 'Sign in as {name}',
      starting: 'Signing in…',
      seeding: 'Preparing the sample data. It won’t take long…',
    },
    start: {
      resident: { title: 'Show my code', text: 'Open your city code and let a verifier scan it.', go: 'Open my code' },
      verifier: { title: 'Verifiers', text: 'For staff who have been authorised to scan codes.', go: 'Open the scanner' },
      api: { title: 'For developers', text: 'The interface for organisations and devices that connect.', go: 'Read the API' },
    },
    how: {
      title: 'How to sign in',
      text: 'For now staff register residents. Signing in by yourself opens soon.',
      steps: ['Now: staff register residents', 'Soon: prove who you are once and create a passkey', 'From then on: your fingerprint or face signs you in, no password'],
      call: 'Questions? Call {hotline}',
    },
    docs: 'API reference',
    version: 'Version {version}',
  },
}
