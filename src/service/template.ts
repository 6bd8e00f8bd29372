import { listPatterns } from "../pattern/catalog.js";

/** The file that `headgate init` writes. */
export const STARTING_FILE = `# yaml-language-server: $schema=./node_modules/headgate/dist/schema.json
# What headgate runs, when, and under which conditions. Check it: headgate validate; simulate it: headgate simulate --from … --to …; run it: headgate serve

# Time zone of cron schedules and windows that name none.
time_zone: UTC

pipelines:
  daily-report:
    description: Writes yesterday's report
    schedule: { cron: "0 6 * * 1-5" } # Monday to Friday at 06:00
    executor: { command: { command: echo, args: ["the report is written"] } }
    conditions:
      - stale: { older_than: 20h } # not again if it has already been run by hand this morning
    execution: { retries: 2, retry_delay: 1m, timeout: 10m }
    sla: 30m

  # A built-in pattern, one of ${listPatterns().length}.
  hourly-sync:
    pattern: production_hourly
    executor: { command: { command: echo, args: ["synchronised"] } }

# Conditions of all pipelines.
conditional_execution:
  maintenance_windows:
    - { start: "02:00", end: "04:00", days: [sunday], description: Weekly maintenance }

# The HTTP API; set a token with PIPELINE_API_TOKEN, or create one: headgate token create --role operator
triggers:
  api: { port: 5000 }
  # webhooks:
  #   - { source: data_provider, secret: "\${PROVIDER_SECRET}", pipelines: [daily-report] }
  # files: { directory: triggers/drop, work_directory: triggers/work, polling: 5s }

# Alerts; without channels they are only listed.
monitoring:
  channels:
    log: { console: {} }

# Where state is stored. Use DATABASE_URL=postgres://… for several nodes.
store:
  url: "\${DATABASE_URL:-sqlite:./headgate.db}"

# Overrides by environment, selected by HEADGATE_ENV or NODE_ENV.
environments:
  production:
    logging: { level: info, format: json } # info logs each run, skip and change; warn only problems
`;
