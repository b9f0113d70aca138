{% snapshot fastest_history %}
{{ config(unique_key='driver', strategy='check', check_cols=['seconds'], target_schema='pi_m3_dbt', table_type='iceberg') }}
select driver, seconds from {{ ref('fastest') }}
{% endsnapshot %}
