// The identity the function app acts as. User-assigned, so that its roles are there before the app is.

@description('Name of the identity.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Object id: what roles are given to.')
output principalId string = identity.properties.principalId
