{#- No two rows share the key and no part of it is null. Returns the offending keys. -#}
{% test unique_key(model, columns) %}
    {%- set key = columns | join(', ') %}

    select {{ key }}, count(*) as repetitions
    from {{ model }}
    group by {{ key }}
    having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}

{% endtest %}
