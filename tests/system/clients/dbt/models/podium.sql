{{ config(materialized='table') }}
select driver_id, points, wins from {{ ref('standings') }} where position <= 3
