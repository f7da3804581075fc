// Development: costs next to nothing while nobody uses it (a table in docs/operations.md), and is deleted without ado.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param storageRedundancy = 'Standard_LRS'
param storageLocked = false
param maximumInstanceCount = 40
param logLevel = 'debug'
// Rules cost by the month, whether anything happens or not.
param alertsEnabled = bool(readEnvironmentVariable('STREAMKIT_ALERTS', 'false'))
// Several addresses with commas between them.
param alertEmails = filter(
  map(split(readEnvironmentVariable('STREAMKIT_ALERT_EMAILS', ''), ','), email => trim(email)),
  email => !empty(email)
)
param logDailyQuotaGb = 1
// Who may read and repair the data: the operators, or whoever deploys, of whom azd tells the id.
param operatorPrincipalId = readEnvironmentVariable(
  'STREAMKIT_OPERATOR_ID',
  readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
)
param operatorPrincipalType = readEnvironmentVariable(
  'STREAMKIT_OPERATOR_TYPE',
  empty(readEnvironmentVariable('STREAMKIT_OPERATOR_ID', '')) ? 'User' : 'Group'
)
// Further settings of the app: a line each, empty for the app's own default.
param furtherSettings = {
  // The origins whose pages may call from a browser, with commas between them.
  STREAMKIT_CORS_ORIGINS: readEnvironmentVariable('STREAMKIT_CORS_ORIGINS', '')
  STREAMKIT_MANAGE: readEnvironmentVariable('STREAMKIT_MANAGE', 'false')
}
