// Production that is closed to the internet but for the app itself, and leaves its network by an address of its own.
using '../../../infra/main.bicep'

param environmentName = 'prod'
param location = 'westeurope'
param alwaysReadyInstances = 1
param privateNetwork = true
param natGateway = true
param diagnosticsEnabled = true
