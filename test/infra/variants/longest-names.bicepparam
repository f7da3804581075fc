// Names as long as they may be; no queue, no alerts; a group of operators.
using '../../../infra/main.bicep'

param environmentName = 'Production-in-EU'
param applicationName = 'Event-Store1'
param location = 'australiasoutheast'
param notificationsQueue = ''
param alertsEnabled = false
param operatorPrincipalId = '33333333-3333-4333-8333-333333333333'
