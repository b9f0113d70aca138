{{ config(materialized='incremental', table_type='iceberg', incremental_strategy='merge', unique_key='driver') }}
{% if is_incremental() %}
select driver, seconds from (values ('ver', 91.2), ('nor', 92.5)) as t (driver, seconds)
{% else %}
select driver, seconds from (values ('ver', 92.6), ('per', 93.1)) as t (driver, seconds)
{% endif %}
