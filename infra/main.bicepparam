// Production: data in three zones and locked, one instance always ready, alerts written to someone.
// azd gives its environment's name and region; the rest can be set in that environment too (`azd env set NAME value`), and as
// variables of a GitHub environment, of which the workflow passes on those that are read here.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'prod')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param storageRedundancy = readEnvironmentVariable('STREAMKIT_STORAGE_REDUNDANCY', 'Standard_ZRS')
param storageLocked = bool(readEnvironmentVariable('STREAMKIT_STORAGE_LOCKED', 'true'))
param alwaysReadyInstances = int(readEnvironmentVariable('STREAMKIT_ALWAYS_READY', '1'))
param maximumInstanceCount = int(readEnvironmentVariable('STREAMKIT_MAXIMUM_INSTANCES', '100'))
param zoneRedundant = bool(readEnvironmentVariable('STREAMKIT_ZONE_REDUNDANT', 'false'))
param authentication = readEnvironmentVariable('STREAMKIT_AUTH', 'key')
param jwtIssuer = readEnvironmentVariable('STREAMKIT_JWT_ISSUER', '')
param jwtAudience = readEnvironmentVariable('STREAMKIT_JWT_AUDIENCE', '')
param jwtJwksUrl = readEnvironmentVariable('STREAMKIT_JWT_JWKS_URL', '')
param alertsEnabled = bool(readEnvironmentVariable('STREAMKIT_ALERTS', 'true'))
// Several addresses with commas between them.
param alertEmails = filter(
  map(split(readEnvironmentVariable('STREAMKIT_ALERT_EMAILS', ''), ','), email => trim(email)),
  email => !empty(email)
)
param logRetentionDays = 90
param logDailyQuotaGb = 10
param diagnosticsEnabled = true
// Not closed by default, so that `azd up` works for everybody: a network of its own takes a registered resource provider, costs by the
// month, and puts fsck inside it. No key opens the account in either case. What is reachable from where: docs/operations.md.
param privateNetwork = bool(readEnvironmentVariable('STREAMKIT_PRIVATE_NETWORK', 'false'))
param natGateway = bool(readEnvironmentVariable('STREAMKIT_NAT_GATEWAY', 'false'))
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
  // Two lines for each call of a function, which nobody reads, would cost more than all else. Errors and the app's own lines stay.
  AzureFunctionsJobHost__logging__logLevel__Function: 'Warning'
  // The origins whose pages may call from a browser, with commas between them.
  STREAMKIT_CORS_ORIGINS: readEnvironmentVariable('STREAMKIT_CORS_ORIGINS', '')
  STREAMKIT_MANAGE: readEnvironmentVariable('STREAMKIT_MANAGE', 'false')
}
