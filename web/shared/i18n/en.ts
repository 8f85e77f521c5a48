import type { SharedText } from './zh-CN.ts'

export const en: SharedText = {
  ui: {
    skip: 'Skip to content',
    back: 'Back',
    close: 'Close',
    cancel: 'Cancel',
    confirm: 'OK',
    retry: 'Try again',
    loading: 'Loading…',
    more: 'Show more',
    language: 'Language',
    typeSize: 'Text size',
    typeNormal: 'Standard',
    typeLarge: 'Large',
    sample: 'Sample data: these people are invented',
    home: 'Home',
    nav: 'Main',
  },
  color: {
    green: 'Green',
    yellow: 'Yellow',
    red: 'Red',
    none: 'No status',
  },
  shape: {
    green: 'green, tick in a circle',
    yellow: 'yellow, exclamation mark in a triangle',
    red: 'red, bar in an octagon',
    none: 'grey, dash in a square',
  },
  document: {
    resident_id: 'Resident identity card',
    hk_macau_permit: 'Hong Kong and Macao residents’ mainland travel permit',
    taiwan_permit: 'Taiwan residents’ mainland travel permit',
    passport: 'Passport',
    foreign_pr: 'Foreign permanent resident card',
  },
  failure: {
    offline: { title: 'No connection', text: 'Check your network. This page tries again by itself.' },
    slow: { title: 'The network is slow', text: 'No answer yet. Please try again shortly.' },
    aborted: { title: 'Cancelled', text: 'You can start again.' },
    signed_out: { title: 'Please sign in again', text: 'For your safety this session has ended.' },
    refused: { title: 'Not available', text: 'You can’t use this service, or something has changed.' },
    busy: { title: 'Too many requests', text: 'Please wait a few seconds, then try again.' },
    broken: { title: 'Service unavailable', text: 'We are working on it. Please try again shortly.' },
  },
  offline: {
    since: 'No connection since {time}',
    retrying: 'Reconnecting',
    back: 'Back online',
  },
  when: {
    today: 'today at {time}',
    yesterday: 'yesterday at {time}',
    day: '{day} at {time}',
  },
}
