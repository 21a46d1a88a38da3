// Light or dark: as the system has it, until the viewer chooses.

import { h } from './dom.js'

const STORED = 'theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const current = () => localStorage.getItem(STORED) ?? (dark.matches ? 'dark' : 'light')

function apply() {
  document.documentElement.dataset.theme = current()
}

export function themeButton() {
  const button = h('button', { type: 'button', class: 'quiet', onclick: toggle }, label())
  function toggle() {
    localStorage.setItem(STORED, current() === 'dark' ? 'light' : 'dark')
    apply()
    button.textContent = label()
  }
  return button
}

const label = () => (current() === 'dark' ? 'Light' : 'Dark')

dark.addEventListener('change', apply)
apply()
