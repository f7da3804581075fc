// A whole deployment: one resource group with the storage account, the function app, its identity and its monitoring.
// Promise: no secret goes in or comes out. Everything the app reaches, it reaches with its managed identity.

targetScope = 'subscription'

@description('Name of the deployment, such as dev or prod: part of every name, and the azd environment. 2 to 16 letters, digits and dashes.')
param environmentName string

@description('Region of all resources: one that has Flex Consumption.')
@metadata({ azd: { type: 'location' } })
param location string

@description('Leads every name, beside the abbreviation of the kind of resource. 2 to 12 letters, digits and dashes.')
param applicationName string = 'streamkit'

@description('Further tags of all resources.')
param tags object = {}

@description('Copies of the data: within a datacentre (LRS), across zones (ZRS), and in a second region as well (GRS, GZRS).')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS', 'Standard_RAGRS', 'Standard_RAGZRS'])
param storageRedundancy string = 'Standard_ZRS'

@description('Whether account keys and SAS tokens open the storage account. Off: identities alone.')
param storageKeysAllowed bool = false

@description('Whether a lock keeps the storage account, and all events in it, from being deleted.')
param storageLocked bool = true

@description('Memory of one instance of the app, MB. CPU and network grow with it.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('Instances at most. Instances that write the same space take turns: more of them is not more writes.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 100

@description('Requests one instance takes at the same time before another starts. A live stream counts for as long as it lasts.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 200

@description('Instances that always run, so that no caller waits for a start. 0: scales to zero.')
@minValue(0)
@maxValue(100)
param alwaysReadyInstances int = 0

@description('Whether instances spread over zones, in a region that has them. Azure then keeps at least two instances always ready for HTTP, and two for each timer and queue, all of them billed: see the costs in docs/operations.md. Needs storage that is in several zones.')
param zoneRedundant bool = false

@description('Who may call: with a key of the function app, or with a bearer token.')
@allowed(['key', 'jwt'])
param authentication string = 'key'

@description('Needed with jwt: the `iss` of tokens.')
param jwtIssuer string = ''

@description('Needed with jwt: the `aud` of tokens.')
param jwtAudience string = ''

@description('Needed with jwt: where the issuer publishes its keys, an https URL.')
param jwtJwksUrl string = ''

@description('Leads the names of all tables. Two deployments in one storage account need two.')
@minLength(1)
@maxLength(21)
param tablePrefix string = 'streamkit'

@description('The queue that gets a message for each applied record; empty: none is sent. Two deployments in one storage account need two.')
@maxLength(56)
param notificationsQueue string = '${toLower(tablePrefix)}-status'

@description('When the monitor looks for records that a writer left behind: NCRONTAB, six fields. Alerts expect a run a minute: rarer than every five, monitor-failures and monitor-records-failed never fire; rarer than hourly, monitor-absent always does.')
param monitorSchedule string = '0 * * * * *'

@description('Age of a pending record that the monitor takes over, ms.')
@minValue(0)
@maxValue(3600000)
param walGraceMs int = 30000

@description('The least level that is logged.')
@allowed(['debug', 'info', 'warn', 'error', 'off'])
param logLevel string = 'info'

@description('Further settings of the app, by name, as docs/settings.md lists them; an empty one is left out. None of them is a secret.')
param furtherSettings object = {}

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 30

@description('Gigabytes of logs a day at most; -1: no limit. What comes after is dropped, alerts with it.')
@minValue(-1)
param logDailyQuotaGb int = 5

@description('Percent of telemetry that is kept when it arrives. Metrics are never sampled. The host already samples adaptively: see host.json.')
@minValue(1)
@maxValue(100)
param samplingPercentage int = 100

@description('Whether the rules that raise alerts are made. They cost by the month, used or not.')
param alertsEnabled bool = true

@description('Who is written to when an alert fires. None: alerts show in the portal alone.')
param alertEmails string[] = []

@description('Whether metrics and deletions of the storage account go to the logs as well.')
param diagnosticsEnabled bool = false

@description('Whether the app reaches its storage account through a virtual network only, by private endpoints.')
param privateNetwork bool = false

@description('With privateNetwork: the addresses of the virtual network, a /24 or larger.')
param networkAddressPrefix string = '10.94.0.0/24'

@description('With privateNetwork: whether the app leaves that network by a NAT gateway, with an address of its own that does not change. Costs by the hour.')
param natGateway bool = false

@description('Object id of who operates the deployment: may read and repair tables and queues with own credentials. Empty: nobody.')
param operatorPrincipalId string = ''

@description('What operatorPrincipalId is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param operatorPrincipalType string = 'Group'

var name = '${applicationName}-${environmentName}'
var token = toLower(uniqueString(subscription().id, applicationName, environmentName, location))

// What could only fail half way, after a storage account was made and locked, or would do nothing: refused before anything is made.
var nameCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789-'
func wrongName(text string, characters string, lengthMax int) bool =>
  length(text) < 2 || length(text) > lengthMax || length(filter(
    range(0, length(text)),
    at => !contains(characters, toLower(substring(text, at, 1)))
  )) > 0
var refusals = filter(
  [
    wrongName(environmentName, nameCharacters, 16)
      ? 'environmentName must be 2 to 16 letters, digits and dashes, because it is part of every name: \'${environmentName}\' is not'
      : ''
    wrongName(applicationName, nameCharacters, 12)
      ? 'applicationName must be 2 to 12 letters, digits and dashes, because it is part of every name: \'${applicationName}\' is not'
      : ''
    authentication == 'jwt' && (empty(jwtIssuer) || empty(jwtAudience) || !startsWith(jwtJwksUrl, 'https://'))
      ? 'With authentication jwt, jwtIssuer, jwtAudience and jwtJwksUrl (https) are needed'
      : ''
    natGateway && !privateNetwork ? 'natGateway is the way out of a network of its own: set privateNetwork as well' : ''
    alwaysReadyInstances > maximumInstanceCount
      ? 'alwaysReadyInstances (${alwaysReadyInstances}) is more than maximumInstanceCount (${maximumInstanceCount})'
      : ''
    zoneRedundant && alwaysReadyInstances == 1
      ? 'With zoneRedundant, alwaysReadyInstances is 0 (Azure keeps two by itself) or at least 2: one instance is in one zone'
      : ''
    zoneRedundant && maximumInstanceCount < 2
      ? 'With zoneRedundant, maximumInstanceCount is at least 2: one instance is in one zone'
      : ''
    zoneRedundant && !endsWith(storageRedundancy, 'ZRS')
      ? 'With zoneRedundant, storageRedundancy must be in several zones (Standard_ZRS, Standard_GZRS, Standard_RAGZRS): ${storageRedundancy} is not'
      : ''
  ],
  sentence => !empty(sentence)
)
// Every name comes from here.
var suffix = empty(refusals) ? name : fail(join(refusals, '; '))

// azd finds the resource group and the app by two of these tags.
var allTags = union(tags, { application: applicationName, 'azd-env-name': environmentName })

// Names are known before anything is made, so that what-if can look inside the modules. Abbreviations: Cloud Adoption Framework.
var identityName = 'id-${suffix}'
// 3 to 24 lower-case letters and digits, the same name nowhere else in Azure.
var storageAccountName = take('st${toLower(replace(applicationName, '-', ''))}${token}', 24)
var packageContainerName = 'app-package'
var workspaceName = 'log-${suffix}'
var applicationInsightsName = 'appi-${suffix}'
var functionAppName = 'func-${suffix}-${take(token, 6)}'

// What the app is told. A setting that is not here has the default of src/settings.ts; docs/settings.md lists them all.
var appSettings = union(
  {
    STREAMKIT_AUTH: authentication
    STREAMKIT_TABLE_PREFIX: tablePrefix
    // An app setting without a value can get lost on its way to the app, which would then take its default: a dash says none.
    STREAMKIT_NOTIFICATIONS_QUEUE: empty(notificationsQueue) ? '-' : notificationsQueue
    STREAMKIT_MONITOR_SCHEDULE: monitorSchedule
    STREAMKIT_WAL_GRACE_MS: string(walGraceMs)
    STREAMKIT_LOG_LEVEL: logLevel
  },
  authentication == 'jwt'
    ? {
        STREAMKIT_JWT_ISSUER: jwtIssuer
        STREAMKIT_JWT_AUDIENCE: jwtAudience
        STREAMKIT_JWT_JWKS_URL: jwtJwksUrl
      }
    : {},
  toObject(filter(items(furtherSettings), given => !empty(given.value)), given => given.key, given => given.value)
)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${suffix}'
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: '${suffix}-identity'
  scope: group
  params: {
    name: identityName
    location: location
    tags: allTags
  }
}

module storage 'modules/storage.bicep' = {
  name: '${suffix}-storage'
  scope: group
  params: {
    name: storageAccountName
    location: location
    tags: allTags
    redundancy: storageRedundancy
    keysAllowed: storageKeysAllowed
    locked: storageLocked
    privateOnly: privateNetwork
    packageContainerName: packageContainerName
    notificationsQueue: notificationsQueue
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: '${suffix}-monitoring'
  scope: group
  params: {
    workspaceName: workspaceName
    applicationInsightsName: applicationInsightsName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyQuotaGb: logDailyQuotaGb
    samplingPercentage: samplingPercentage
  }
}

module roles 'modules/roles.bicep' = {
  name: '${suffix}-roles'
  scope: group
  dependsOn: [storage, monitoring]
  params: {
    storageAccountName: storageAccountName
    applicationInsightsName: applicationInsightsName
    // Azure chooses the identity's object id: what-if cannot know it before the identity is there.
    #disable-next-line what-if-short-circuiting
    appPrincipalId: identity.outputs.principalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: '${suffix}-network'
  scope: group
  dependsOn: [storage]
  params: {
    suffix: suffix
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
    natGateway: natGateway
    storageAccountName: storageAccountName
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: '${suffix}-function-app'
  scope: group
  // A host that starts before it may read its storage account stays down until it is restarted.
  dependsOn: [identity, storage, monitoring, roles]
  params: {
    name: functionAppName
    planName: 'asp-${suffix}'
    location: location
    tags: allTags
    identityName: identityName
    storageAccountName: storageAccountName
    packageContainerName: packageContainerName
    applicationInsightsName: applicationInsightsName
    subnetId: network.?outputs.functionSubnetId ?? ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReadyInstances: alwaysReadyInstances
    zoneRedundant: zoneRedundant
    appSettings: appSettings
  }
}

module alerts 'modules/alerts.bicep' = if (alertsEnabled) {
  name: '${suffix}-alerts'
  scope: group
  dependsOn: [storage, monitoring]
  params: {
    suffix: suffix
    location: location
    tags: allTags
    workspaceName: workspaceName
    storageAccountName: storageAccountName
    emails: alertEmails
  }
}

module diagnostics 'modules/diagnostics.bicep' = if (diagnosticsEnabled) {
  name: '${suffix}-diagnostics'
  scope: group
  dependsOn: [storage, monitoring, functionApp]
  params: {
    workspaceName: workspaceName
    storageAccountName: storageAccountName
    functionAppName: functionAppName
  }
}

@description('The tenant of the subscription.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('The region of the deployment.')
output AZURE_LOCATION string = location

@description('The resource group of the deployment.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The function app: where packages are deployed to.')
output FUNCTION_APP_NAME string = functionAppName

@description('Where callers find it.')
output STREAMKIT_URL string = functionApp.outputs.url

@description('The address that receivers of webhooks see, with a NAT gateway; empty: no address that stays.')
output STREAMKIT_OUTBOUND_ADDRESS string = network.?outputs.outboundAddress ?? ''

@description('The storage account: what fsck connects to.')
output STREAMKIT_STORAGE__accountName string = storageAccountName
