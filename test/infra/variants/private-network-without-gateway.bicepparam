// A network of its own that the app leaves by the platform's addresses.
using '../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param privateNetwork = true
