// Development: costs nothing while nobody uses it, and is deleted without ado.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param storageRedundancy = 'Standard_LRS'
param storageLocked = false
param maximumInstanceCount = 40
param logLevel = 'debug'
param logDailyQuotaGb = 1
param operatorPrincipalId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param operatorPrincipalType = readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'User')
