// A virtual network between the app and its storage account: a subnet the app calls out from, and private endpoints; and on request
// a gateway by which it leaves the network, for webhooks, the issuer's keys and telemetry.

@description('Ends every name.')
param suffix string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Addresses of the network, a /24 or larger.')
param addressPrefix string

@description('Whether the app leaves the network by a NAT gateway.')
param natGateway bool

@description('Name of the storage account.')
param storageAccountName string

// What the app uses of its account.
var services = ['blob', 'queue', 'table']

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageAccountName
}

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'vnet-${suffix}'
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [addressPrefix]
    }
  }
}

resource address 'Microsoft.Network/publicIPAddresses@2025-05-01' = if (natGateway) {
  name: 'pip-${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAddressVersion: 'IPv4'
    publicIPAllocationMethod: 'Static'
  }
}

resource gateway 'Microsoft.Network/natGateways@2025-05-01' = if (natGateway) {
  name: 'ng-${suffix}'
  location: location
  tags: tags
  sku: {
    name: 'Standard'
  }
  properties: {
    idleTimeoutInMinutes: 4
    publicIpAddresses: [
      {
        id: address.id
      }
    ]
  }
}

// 128 addresses; Flex Consumption wants a /27 at least, delegated to it alone, and no underscore in the name.
resource functionSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = {
  parent: network
  name: 'snet-functions'
  properties: {
    addressPrefix: cidrSubnet(addressPrefix, 25, 0)
    // Without a gateway the way out is the platform's, by addresses that are shared and change.
    natGateway: natGateway ? { id: gateway.id } : null
    delegations: [
      {
        name: 'flex-consumption'
        properties: {
          serviceName: 'Microsoft.App/environments'
        }
      }
    ]
  }
}

resource endpointSubnet 'Microsoft.Network/virtualNetworks/subnets@2025-05-01' = {
  parent: network
  name: 'snet-endpoints'
  // Subnets of one network are changed one at a time.
  dependsOn: [functionSubnet]
  properties: {
    addressPrefix: cidrSubnet(addressPrefix, 27, 4)
    // Nothing here calls out.
    defaultOutboundAccess: false
    privateEndpointNetworkPolicies: 'Disabled'
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for service in services: {
    name: 'privatelink.${service}.${environment().suffixes.storage}'
    location: 'global'
    tags: tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (service, at) in services: {
    parent: zones[at]
    name: 'link-${service}'
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

// One after the other: the account refuses an endpoint while another is being made (StorageAccountOperationInProgress).
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2025-05-01' = [
  for service in services: {
    name: 'pep-${service}-${suffix}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: endpointSubnet.id
      }
      privateLinkServiceConnections: [
        {
          name: service
          properties: {
            privateLinkServiceId: account.id
            groupIds: [service]
          }
        }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01' = [
  for (service, at) in services: {
    parent: endpoints[at]
    name: 'default'
    // The app starts when its names resolve from inside the network.
    dependsOn: [links]
    properties: {
      privateDnsZoneConfigs: [
        {
          name: service
          properties: {
            privateDnsZoneId: zones[at].id
          }
        }
      ]
    }
  }
]

@description('The subnet the app calls out from.')
output functionSubnetId string = functionSubnet.id

@description('The address the app is seen with outside; empty: none that stays.')
output outboundAddress string = natGateway ? address!.properties.ipAddress : ''
