{% snapshot rivals_history %}
{{ config(unique_key='driver_id', strategy='check', check_cols=['points'], target_schema='pi_m3_dbt') }}
select driver_id, points from {{ ref('rivals') }}
{% endsnapshot %}
