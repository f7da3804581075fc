// Development: costs nothing while nobody uses it, and is deleted without ado.
using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', 'dev')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param storageRedundancy = 'Standard_LRS'
param storageLocked = false
param maximumInstanceCount = 40
param logLevel = 'debug'
// Several addresses with commas between them.
param alertEmails = filter(map(split(readEnvironmentVariable('STREAMKIT_ALERT_EMAILS', ''), ','), email => trim(email)), email => !empty(email))
param logDailyQuotaGb = 1
param operatorPrincipalId = readEnvironmentVariable('STREAMKIT_OPERATOR_ID', '')
param operatorPrincipalType = readEnvironmentVariable('STREAMKIT_OPERATOR_TYPE', 'Group')
