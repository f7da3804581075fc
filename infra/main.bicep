// A whole deployment: one resource group with the storage account, the function app, its identity and its monitoring.
// Promise: no secret goes in or comes out. Everything the app reaches, it reaches with its managed identity.

targetScope = 'subscription'

@description('Name of the deployment, such as dev or prod: part of every name, and the azd environment.')
@minLength(2)
@maxLength(16)
param environmentName string

@description('Region of all resources.')
@metadata({ azd: { type: 'location' } })
param location string

@description('Leads every name, beside the abbreviation of the kind of resource.')
@minLength(2)
@maxLength(12)
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

@description('Whether instances spread over zones, where the region has them. Needs at least two always-ready instances.')
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

@description('Further settings of the app, by name, as docs/settings.md lists them. None of them is a secret.')
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

// azd finds the resource group and the app by these two tags.
var allTags = union(tags, { application: applicationName, 'azd-env-name': environmentName })
var token = toLower(uniqueString(subscription().id, applicationName, environmentName, location))
// Without these the app would not start. It is asked where every name comes from, so that nothing is made before it fails.
var lacksTokenSettings = authentication == 'jwt' && (empty(jwtIssuer) || empty(jwtAudience) || !startsWith(jwtJwksUrl, 'https://'))
var suffix = lacksTokenSettings ? fail('With authentication jwt, jwtIssuer, jwtAudience and jwtJwksUrl (https) are needed.') : '${applicationName}-${environmentName}'
// 3 to 24 lower-case letters and digits, the same name nowhere else in Azure.
var storageAccountName = take('st${toLower(replace(applicationName, '-', ''))}${token}', 24)

// Abbreviations: Cloud Adoption Framework.
resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${suffix}'
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-${suffix}'
    location: location
    tags: allTags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: storageAccountName
    location: location
    tags: allTags
    redundancy: storageRedundancy
    keysAllowed: storageKeysAllowed
    locked: storageLocked
    privateOnly: privateNetwork
    notificationsQueue: notificationsQueue
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-${suffix}'
    applicationInsightsName: 'appi-${suffix}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyQuotaGb: logDailyQuotaGb
    samplingPercentage: samplingPercentage
  }
}

module roles 'modules/roles.bicep' = {
  name: 'roles'
  scope: group
  params: {
    storageAccountName: storage.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    appPrincipalId: identity.outputs.principalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: allTags
    addressPrefix: networkAddressPrefix
    natGateway: natGateway
    storageAccountName: storage.outputs.name
  }
}

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  scope: group
  // A host that starts before it may read its storage account stays down until it is restarted.
  dependsOn: [roles]
  params: {
    name: 'func-${suffix}-${take(token, 6)}'
    planName: 'asp-${suffix}'
    location: location
    tags: allTags
    identityName: identity.outputs.name
    storageAccountName: storage.outputs.name
    packageContainerName: storage.outputs.packageContainerName
    applicationInsightsName: monitoring.outputs.applicationInsightsName
    subnetId: network.?outputs.functionSubnetId ?? ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstanceCount: maximumInstanceCount
    httpConcurrency: httpConcurrency
    alwaysReadyInstances: alwaysReadyInstances
    zoneRedundant: zoneRedundant
    authentication: authentication
    jwtIssuer: jwtIssuer
    jwtAudience: jwtAudience
    jwtJwksUrl: jwtJwksUrl
    tablePrefix: tablePrefix
    notificationsQueue: notificationsQueue
    monitorSchedule: monitorSchedule
    walGraceMs: walGraceMs
    logLevel: logLevel
    furtherSettings: furtherSettings
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    suffix: suffix
    location: location
    tags: allTags
    workspaceName: monitoring.outputs.workspaceName
    storageAccountName: storage.outputs.name
    emails: alertEmails
  }
}

module diagnostics 'modules/diagnostics.bicep' = if (diagnosticsEnabled) {
  name: 'diagnostics'
  scope: group
  params: {
    workspaceName: monitoring.outputs.workspaceName
    storageAccountName: storage.outputs.name
    functionAppName: functionApp.outputs.name
  }
}

@description('The resource group of the deployment.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The function app: where packages are deployed to.')
output FUNCTION_APP_NAME string = functionApp.outputs.name

@description('Where callers find it.')
output STREAMKIT_URL string = functionApp.outputs.url

@description('The address that receivers of webhooks see, with a NAT gateway; empty: no address that stays.')
output STREAMKIT_OUTBOUND_ADDRESS string = network.?outputs.outboundAddress ?? ''

@description('The storage account: what fsck connects to.')
output STREAMKIT_STORAGE__accountName string = storage.outputs.name
