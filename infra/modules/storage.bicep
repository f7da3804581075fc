// The storage account: tables with all events, queues with notifications, and the container of the app's package.
// The app makes its tables itself, one a store. The queues are made here, so that the queue trigger finds them.

@description('Name of the account.')
@minLength(3)
@maxLength(24)
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('SKU: how many copies, and where.')
param redundancy string

@description('Whether account keys and SAS tokens are accepted.')
param keysAllowed bool

@description('Whether the account is locked against deletion.')
param locked bool

@description('Whether the account is reached by private endpoints alone.')
param privateOnly bool

@description('The container of the app\'s package.')
param packageContainerName string

@description('The queue for notifications; empty: none.')
param notificationsQueue string

// What is to be tried again waits in the second. The host moves what it could not dispatch to the poison queue of either.
var queueNames = empty(notificationsQueue)
  ? []
  : [
      notificationsQueue
      '${notificationsQueue}-retry'
      '${notificationsQueue}-poison'
      '${notificationsQueue}-retry-poison'
    ]

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: redundancy
  }
  properties: {
    accessTier: 'Hot'
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    allowSharedKeyAccess: keysAllowed
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateOnly ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: packageContainerName
  properties: {
    publicAccess: 'None'
  }
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2025-06-01' = [
  for queueName in queueNames: {
    parent: queueService
    name: queueName
  }
]

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  scope: account
  name: 'events'
  properties: {
    level: 'CanNotDelete'
    notes: 'The tables of this account are the events of the deployment. There is no other copy.'
  }
}
