// What somebody must know of, and whom it is sent to. docs/operations.md says what to do about each.

@description('Ends every name.')
param suffix string

@description('Region of the rules.')
param location string

@description('Tags.')
param tags object

@description('Name of the Log Analytics workspace.')
param workspaceName string

@description('Name of the storage account.')
param storageAccountName string

@description('Who is written to; none: nobody.')
param emails string[]

@description('Percent of requests answered with 5xx or 424 in five minutes, above which it is an alert.')
param serverErrorPercentMax int = 5

@description('Answers with 5xx or 424 in five minutes that are no alert whatever their share: one of three at night is not an outage.')
param serverErrorsMin int = 10

@description('Age of an unfinished record above which it is an alert, ms. The monitor takes records over after seconds.')
param pendingAgeMsMax int = 300000

@description('How late what is due may be before it is an alert, seconds. The monitor gives it turns once a minute.')
param scheduleLateSecondsMax int = 3600

@description('Storage requests refused for their rate in five minutes, above which it is an alert.')
param throttledMax int = 50

@description('Messages in all queues of the account, above which it is an alert.')
param queuedMessagesMax int = 1000

@description('Age of an entry that a worker of a consumer is given above which it is an alert, seconds.')
param consumerLagSecondsMax int = 900

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: workspaceName
}

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageAccountName
}

// The app's metrics come unsampled, see src/core/metrics.ts; its log is one JSON object a line, see src/core/logger.ts.
// Each row of a histogram has Sum, Min, Max and ItemCount. The exporter sends a counter or gauge as Sum alone: its Min and Max say nothing.
var lines = 'AppTraces | where Message startswith "{" | extend line = parse_json(Message)'

// An app with a wrong setting has no metrics and may have no log of its own: then its lines are the host's, no JSON.
var misconfigured = 'AppTraces | extend said = iff(Message startswith "{", tostring(parse_json(Message).message), Message) | where said startswith "misconfigured" | summarize Value = sum(ItemCount)'
// A line says the code itself, or has the error: a caller was told, or a row of a list was left out.
var corrupt = '${lines} | where tostring(line.code) == "corrupt_data" or tostring(line.error.code) == "corrupt_data" | summarize Value = sum(ItemCount)'
// The app's own count, by the status that it answered: the host counts a caller who left a stream as a failure, which it is not (499).
var requests = 'AppMetrics | where Name == "http.server.request.duration" | extend status = toint(Properties["http.response.status_code"])'
var serverErrors = '${requests} | summarize failed = sumif(ItemCount, status >= 500 or status == 424), total = sum(ItemCount) | project Value = iff(failed < ${serverErrorsMin}, 0.0, 100.0 * failed / total)'
var pendingAge = 'AppMetrics | where Name == "streamkit.monitor.oldest_pending" | summarize Value = 1000 * max(Sum)'
var monitorFailures = '${lines} | where tostring(line.message) == "the monitor failed" | summarize Value = sum(ItemCount)'
// One row for each minute with a run of the monitor: a run that finished everything says 0.
var recordsFailed = 'AppMetrics | where Name == "streamkit.monitor.records" | where tostring(Properties["streamkit.monitor.outcome"]) == "failed" and Sum > 0 | summarize Value = count()'
var monitorRuns = 'AppMetrics | where Name == "streamkit.monitor.duration" | summarize Value = sum(ItemCount)'
// Each run says how late the latest was: 0 where nothing waited. Work that fails is due anew later, and is told of by its line.
var scheduleLate = 'AppMetrics | where Name == "streamkit.schedule.late" | summarize Value = max(Sum)'
// What lies in the queue, not what arrives there: nobody has looked as long as it fires.
var poisoned = 'AppMetrics | where Name == "streamkit.notifications.poisoned" | summarize Value = max(Sum)'
// Of each delivery the age of its oldest entry: a consumer that nobody works for delivers nothing, and is not seen.
var consumerLag = 'AppMetrics | where Name == "streamkit.consumers.lag" | summarize Value = max(Max)'

// How often each is asked is what it costs: a third of the price every fifteen minutes, for what can wait so long.
var queries = [
  {
    name: 'misconfigured'
    title: 'The app has a wrong setting'
    description: 'The app answers every call with 503, because one of its settings is wrong. Its log says which, and what is right.'
    query: misconfigured
    operator: 'GreaterThan'
    threshold: 0
    severity: 1
    window: 'PT15M'
    frequency: 'PT5M'
  }
  {
    name: 'corrupt-data'
    title: 'Stored data cannot be read'
    description: 'A stored row is damaged: what needs it fails or goes without it until it is repaired. The log line names the row.'
    query: corrupt
    operator: 'GreaterThan'
    threshold: 0
    severity: 1
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'server-errors'
    title: 'Many answers with 5xx or 424'
    description: 'More than ${serverErrorPercentMax} % of the requests of five minutes were answered with 5xx, or with 424: a write that was not confirmed.'
    query: serverErrors
    operator: 'GreaterThan'
    threshold: serverErrorPercentMax
    severity: 1
    window: 'PT5M'
    frequency: 'PT5M'
  }
  {
    name: 'pending-age'
    title: 'A committed record is not finished'
    description: 'A committed record has been waiting to be applied, or its notification to be sent, for more than ${pendingAgeMsMax} ms.'
    query: pendingAge
    operator: 'GreaterThan'
    threshold: pendingAgeMsMax
    severity: 1
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'monitor-failures'
    title: 'The monitor fails'
    description: 'The monitor could not look for pending records three times in fifteen minutes.'
    query: monitorFailures
    operator: 'GreaterThan'
    threshold: 2
    severity: 1
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'monitor-records-failed'
    title: 'The monitor cannot finish records'
    description: 'In three runs of fifteen minutes the monitor found records that it could not finish.'
    query: recordsFailed
    operator: 'GreaterThan'
    threshold: 2
    severity: 2
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'monitor-absent'
    title: 'The monitor does not run'
    description: 'The monitor has not run for an hour: what a writer that died left behind stays there.'
    query: monitorRuns
    operator: 'LessThan'
    threshold: 1
    severity: 2
    window: 'PT1H'
    frequency: 'PT15M'
  }
  {
    name: 'schedule-late'
    title: 'Work that is due waits too long'
    description: 'A job, a retention, a removal or a compaction had its turn more than ${scheduleLateSecondsMax} s after it was due.'
    query: scheduleLate
    operator: 'GreaterThan'
    threshold: scheduleLateSecondsMax
    severity: 2
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'poison'
    title: 'The poison queue is not empty'
    description: 'Notifications that could not be dispatched lie in a poison queue, until somebody puts them back or deletes them.'
    query: poisoned
    operator: 'GreaterThan'
    threshold: 0
    severity: 2
    window: 'PT15M'
    frequency: 'PT15M'
  }
  {
    name: 'consumer-lag'
    title: 'A consumer is far behind'
    description: 'A worker of a consumer was given an entry that is older than ${consumerLagSecondsMax} seconds.'
    query: consumerLag
    operator: 'GreaterThan'
    threshold: consumerLagSecondsMax
    severity: 2
    window: 'PT15M'
    frequency: 'PT15M'
  }
]

// Throttled by the service, in each of its ways.
var throttledResponses = [
  'ClientThrottlingError'
  'ClientAccountRequestThrottlingError'
  'ClientAccountBandwidthThrottlingError'
  'ServerBusyError'
  'SuccessWithThrottling'
]

// Without receivers it tells nobody, and the rules need not know.
resource receivers 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'streamkit'
    enabled: true
    emailReceivers: [
      for email in emails: {
        name: email
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in queries: {
    name: 'alert-${rule.name}-${suffix}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${rule.title} (${suffix})'
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [workspace.id]
      evaluationFrequency: rule.frequency
      windowSize: rule.window
      autoMitigate: true
      // The tables of a new workspace appear with their first rows; the rule must not wait for them.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Maximum'
            metricMeasureColumn: 'Value'
            operator: rule.operator
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [receivers.id]
      }
    }
  }
]

resource throttled 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'alert-throttled-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'Table storage refused more than ${throttledMax} requests in five minutes for their rate.'
    severity: 2
    enabled: true
    scopes: ['${account.id}/tableServices/default']
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'throttled'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Storage/storageAccounts/tableServices'
          metricName: 'Transactions'
          dimensions: [
            {
              name: 'ResponseType'
              operator: 'Include'
              values: throttledResponses
            }
          ]
          timeAggregation: 'Total'
          operator: 'GreaterThan'
          threshold: throttledMax
          skipMetricValidation: true
        }
      ]
    }
    actions: [
      {
        actionGroupId: receivers.id
      }
    ]
  }
}

// Counted by the service once an hour, all queues together: the dispatcher does not keep up, or a consumer is away.
resource queued 'Microsoft.Insights/metricAlerts@2026-01-01' = {
  name: 'alert-queued-${suffix}'
  location: 'global'
  tags: tags
  properties: {
    description: 'More than ${queuedMessagesMax} messages wait in the queues of the storage account.'
    severity: 3
    enabled: true
    scopes: ['${account.id}/queueServices/default']
    evaluationFrequency: 'PT1H'
    windowSize: 'PT6H'
    autoMitigate: true
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'queued'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.Storage/storageAccounts/queueServices'
          metricName: 'QueueMessageCount'
          timeAggregation: 'Average'
          operator: 'GreaterThan'
          threshold: queuedMessagesMax
          skipMetricValidation: true
        }
      ]
    }
    actions: [
      {
        actionGroupId: receivers.id
      }
    ]
  }
}
