// What a verification answers, for people.

export const QUESTIONS = {
  payload: 'Is the content unchanged?',
  content: 'Are time, type and sender unchanged?',
  leaf: 'Is it in its place?',
  inclusion: 'Is it in the log?',
  signature: 'Who signed the log?',
  served: 'Does the log still show the same event?',
}

export const ANSWERS = { passed: 'yes', failed: 'no', skipped: 'not checked' }
