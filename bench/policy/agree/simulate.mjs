// @cloud-copilot/iam-simulate, asked line by line.
import { createInterface } from 'node:readline'

import { runSimulation } from '@cloud-copilot/iam-simulate'

for await (const line of createInterface({ input: process.stdin })) {
  const r = await runSimulation(JSON.parse(line), { simulationMode: 'Strict' })
  const answer = r.resultType === 'error' ? { error: JSON.stringify(r.errors) } : { result: r.overallResult }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
