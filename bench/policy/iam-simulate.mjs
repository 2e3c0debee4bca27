// @cloud-copilot/iam-simulate as a peer: reads a task, says when it is ready and when
// it has decided once, and writes the result. It is asked in its quickest way, which validates nothing.
import { readFileSync } from 'node:fs'

import { runUnsafeSimulation } from '@cloud-copilot/iam-simulate'

const say = (message) => process.stdout.write(JSON.stringify(message) + '\n')

if (process.argv[2] === '--version') {
  const { version } = JSON.parse(readFileSync('node_modules/@cloud-copilot/iam-simulate/package.json'))
  console.log(`${version}, node ${process.version}`)
  process.exit()
}

const task = JSON.parse(readFileSync(0))

const account = '111122223333'
const identityPolicies = task.case.policies.map((text, i) => ({ name: `p${i}`, policy: JSON.parse(text) }))
const simulations = task.case.requests.map((r) => ({
  identityPolicies,
  serviceControlPolicies: [],
  resourceControlPolicies: [],
  request: {
    principal: `arn:aws:iam::${account}:user/team-blue`,
    action: r.action,
    resource: { resource: r.resource, accountId: account },
    contextVariables: r.keys,
  },
}))
const allowed = (simulation) => runUnsafeSimulation(simulation, {}) === 'Allowed'

say({})
const answers = [allowed(simulations[0])]
say({ answers })
answers.push(...simulations.slice(1).map(allowed))

// The least time of a decision, of batches of 2 ms.
let least = Infinity
let n = 1
const begun = process.hrtime.bigint()
while (process.hrtime.bigint() - begun < task.seconds * 1e9) {
  const from = process.hrtime.bigint()
  for (let i = 0; i < n; i++) allowed(simulations[0])
  const took = Number(process.hrtime.bigint() - from)
  if (took < 2e6) n *= 2
  else least = Math.min(least, took / n)
}
say({ ns: least, answers })
